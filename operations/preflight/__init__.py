"""Checks of the machine, the file and the tools before a command: all faults at once. Changes nothing."""
