"""What the provider warns of, and how a machine hears it."""
