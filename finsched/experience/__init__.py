"""What our own runs teach the next quote: a small file beside the ledger, kept up as it grows."""
