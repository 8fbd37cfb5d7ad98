"""Load from outside: requests whose times do not depend on the answers, and the highest rate a service sustains."""
