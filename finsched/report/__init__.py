"""Ledger in, accounts out."""
