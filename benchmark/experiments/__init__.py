"""What is measured, one experiment per module: `run` is the benchmark itself. No experiment imports another."""
