"""Fakes, builders and the provider conformance suite, shipped for provider authors."""
