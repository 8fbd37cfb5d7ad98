"""The steps of a rotation of secrets, and the proof that the old ones open nothing any more."""
