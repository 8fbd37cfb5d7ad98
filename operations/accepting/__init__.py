"""Whether the GPUs of this machine are fit for a stack: what the host and a container say, and a verdict."""
