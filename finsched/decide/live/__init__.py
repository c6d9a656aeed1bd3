"""What a run that goes on costs, may do, and does next."""
