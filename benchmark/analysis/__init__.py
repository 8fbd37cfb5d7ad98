"""What the figures mean: verdicts, comparable results, the gate between two. Pure except for files."""
