"""Slack, for customers who talk to the agent and for operations who approve."""
