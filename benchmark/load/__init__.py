"""Load from outside: requests whose times do not depend on answers, and the highest rate sustained."""
