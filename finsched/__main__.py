"""`python -m finsched`: the same as the `finsched` command."""

from finsched.cli import main

main()
