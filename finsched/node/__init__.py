"""What runs beside the job on the rented machine: standard library and obstore only."""
