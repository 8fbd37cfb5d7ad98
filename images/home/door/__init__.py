"""The front door: a page that says how the stack is doing, made of what the metrics know."""
