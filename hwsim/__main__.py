"""`python -m hwsim` is the command `hwsim`."""

from hwsim.cli import main

main()
