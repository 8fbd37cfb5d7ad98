"""What figures mean: verdicts, results that compare, the gate between two of them. Pure but for the files."""
