"""How a fresh machine becomes a node: the archive that it fetches, and what it is told to do."""
