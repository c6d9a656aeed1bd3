"""Runs seen from outside: their events as a log, what people are told, what monitoring reads."""
