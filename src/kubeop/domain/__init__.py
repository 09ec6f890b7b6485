"""Tenants, projects, quotas, baselines and image rules as pure functions: no I/O here."""
