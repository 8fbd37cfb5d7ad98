"""What the engine holds, in fields that compare. `snapshot.take` reads it, `inside` runs a command."""
