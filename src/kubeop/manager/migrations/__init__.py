"""Alembic's migrations of the manager's schema, part of the package so that the image can run them."""
