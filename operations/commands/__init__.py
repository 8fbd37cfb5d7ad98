"""The commands of `aidc`, a module each; its docstring is the command's help. `main` returns an exit code."""
