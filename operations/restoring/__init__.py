"""From the vault back into a running, emptied stack: `order` says what, `session` lets it be done."""
