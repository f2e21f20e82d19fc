"""The outermost ring: reads the environment, builds everything, owns the command line."""
