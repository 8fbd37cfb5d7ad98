"""What the machine does meanwhile: energy and counters, probes of compute and storage."""
