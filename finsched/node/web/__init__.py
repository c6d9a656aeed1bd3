"""HTTP with credentials that are renewed."""
