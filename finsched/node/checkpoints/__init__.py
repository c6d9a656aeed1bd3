"""What is saved, committed and restored."""
