"""Turns raw price lists, measurements and datasheets into the bundled catalog."""
