"""Who this machine is, to its own cloud and to others."""
