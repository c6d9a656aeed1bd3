"""One job in thousands of seeded futures, driven by the policies that production uses."""
