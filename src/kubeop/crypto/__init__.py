"""Key ring, envelopes, KMS providers, tokens and certificates."""
