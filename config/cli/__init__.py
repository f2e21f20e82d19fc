"""The command line: `gateway ...`, and `python -m config ...` where only the lock is installed."""

from config.cli.commands import app, main

__all__ = ["app", "main"]
