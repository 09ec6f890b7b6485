"""The REST API over PostgreSQL, and the bootstrap of registered clusters."""
