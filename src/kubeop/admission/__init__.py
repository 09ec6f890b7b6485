"""The validating and mutating webhook."""
