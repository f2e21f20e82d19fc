"""The embedded agent server: durable sessions over a WebSocket, a small REST interface, any model."""
