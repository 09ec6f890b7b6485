"""Controllers that keep Tenants and Projects as they are declared."""
