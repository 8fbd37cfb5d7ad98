"""Whether the newest drill passed and is not too old."""
