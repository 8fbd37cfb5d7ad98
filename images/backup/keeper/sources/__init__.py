"""What is read and written, each behind one module: object store, databases, archive, staging, vault."""
