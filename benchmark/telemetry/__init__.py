"""What the machine does meanwhile: energy and counters, power caps, probes of compute and storage."""
