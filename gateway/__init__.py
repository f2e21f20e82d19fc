"""The core: conversations, turns, approvals and their durable rows. Knows no channel and no provider."""
