"""The per-user process: it holds many runs, and any terminal can hand it one more."""
