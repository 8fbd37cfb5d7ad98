"""Whether the backup jobs ended well, and the newest drill passed and is not too old."""
