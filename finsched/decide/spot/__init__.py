"""When to buy spot, when to wait, when to pay full price: policies for one job with a deadline."""
