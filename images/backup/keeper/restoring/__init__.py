"""Back from the vault: objects, databases and configuration, into a stack that was emptied."""
