"""What all of the benchmark stands on: errors, a workload's settings, stores, clocks, statistics, ranks."""
