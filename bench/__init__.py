"""Side-by-side measurements as commands. Nothing here asserts a time, and nothing imports it."""
