"""Policies against recorded availability, on a stepped clock."""
