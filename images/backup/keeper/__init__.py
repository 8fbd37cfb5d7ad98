"""What the backup's container runs: object store → staging → vault, and back."""
