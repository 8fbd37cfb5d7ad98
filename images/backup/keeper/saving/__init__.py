"""A run: what its job names goes through staging into the vault."""
