"""The container engine: `client.connect`, what the stack uses of it, and whether its endpoints answer."""
