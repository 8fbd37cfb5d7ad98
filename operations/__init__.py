"""The commands behind the Makefile: effects on engine, state and files."""
