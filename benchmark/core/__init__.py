"""What all of the benchmark is built on: errors, a workload's settings, stores, clocks, statistics, ranks."""
