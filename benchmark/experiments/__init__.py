"""What is measured on a stack, an experiment a module: `run` is the benchmark itself."""
