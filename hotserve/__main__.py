"""`python -m hotserve` is the command `hotserve`."""

from hotserve.cli import main

main(prog_name="python -m hotserve")
