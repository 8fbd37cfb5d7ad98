"""The drill: what the vault holds is read, restored and compared, and what is told of it."""
