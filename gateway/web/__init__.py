"""The gateway's own pages and what every endpoint shares."""
