"""How old each waiver is, how long it lasts, and whether it is needed. `ages` is the judge."""
