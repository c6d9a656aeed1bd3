"""Messages between the agent and the supervisor, over the store."""
