"""`python -m config`: the command line, for machines where only the lock is installed."""

from config.cli import main

main()
