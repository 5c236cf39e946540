"""`python -m refq` is the command `refq`."""

from refq.cli import main

main()
