"""What was planned against what runs, field by field, and who else is there. `comparison` is the judge."""
