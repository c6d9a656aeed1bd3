"""Pure decisions: the same input gives the same answer. No clock, no random, no I/O."""
