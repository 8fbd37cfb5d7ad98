"""What runs compared with what was planned, field by field, and what else is there. `comparison` judges."""
