"""When to start, and when to run: windows, cheap hours, prices to wait for."""
