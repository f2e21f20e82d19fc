"""The engine, twice: one process on SQLite, any number on PostgreSQL."""
