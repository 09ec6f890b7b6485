"""What the manager remembers: the tables, and how the database is reached."""
