"""Several nodes that meet, save and end together."""
