"""The pure half of the scheduler: no clock, no random, no log, no I/O."""
