"""Many runs in one process: whose turn it is, and what the budgets leave."""
