"""The commands of `aidc`, one module each: its docstring is the help text, `main` returns the exit code."""
