"""How old each waiver is, how long it lasts, and whether it is still needed. `ages` judges."""
