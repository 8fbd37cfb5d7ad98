"""The results of a check as a table, annotations, SARIF, JUnit XML and a page of the docs. Pure."""
