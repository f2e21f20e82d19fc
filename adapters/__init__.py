"""One folder per outside system. An adapter imports the core, never another adapter."""
