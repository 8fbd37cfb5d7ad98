"""The object store compared with its declaration: buckets, identities' policies, and every stored shard."""
