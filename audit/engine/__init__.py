"""What the engine holds, read once and in fields that compare. `snapshot.take` reads, `inside` runs a command."""
