"""The agent platform: the session protocol's client, and the embedded server that speaks the other end."""
