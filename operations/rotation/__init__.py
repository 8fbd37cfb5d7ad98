"""The steps of a rotation, and the proof that the new secrets work and the old ones are refused."""
