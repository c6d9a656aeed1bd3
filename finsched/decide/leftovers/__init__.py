"""What ended runs left behind, and whether it may go."""
