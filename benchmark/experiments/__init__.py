"""What is measured, one experiment per module; none imports another. `run` is the benchmark itself."""
