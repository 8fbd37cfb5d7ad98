"""Who can talk to whom: every pair of roles probed and set against the table of flows. `survey.run` does all of it."""
