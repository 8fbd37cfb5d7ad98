"""The typed records of the workstation's side: the result and its parts, and the efficiency comparison."""
