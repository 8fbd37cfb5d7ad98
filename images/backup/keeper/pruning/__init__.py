"""The pruner: which snapshots are kept, and the removal of the others."""
