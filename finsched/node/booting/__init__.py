"""From a machine's first second to the agent."""
