"""What a check found, for a terminal, a browser, SARIF readers and JUnit readers. Pure."""
