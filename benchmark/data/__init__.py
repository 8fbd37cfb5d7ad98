"""Data: stages by name, shards with checksums, a manifest that is written last."""
