"""The node agent: what runs beside the job on the rented machine (stdlib and obstore only)."""
