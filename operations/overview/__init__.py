"""What an operator asks first: what `make status` says beyond the health of each service."""
