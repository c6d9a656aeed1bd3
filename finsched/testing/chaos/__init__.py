"""Deterministic simulation: the production supervisor in simulated clouds under every fault."""
