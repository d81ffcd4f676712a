"""`python -m ivr`."""

from ivr.cli import main

main()
