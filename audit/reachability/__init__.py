"""Who can talk to whom: every pair of roles probed, against the table of flows. `survey.run` does it all."""
