"""`python -m lab` is `lab`."""

from .cli import main

main()
