"""Whether the machine, the file and the tools are fit for a command, all faults at once. Changes nothing."""
