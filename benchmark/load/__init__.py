"""Load from outside: requests at times that no answer changes, and the rate that a service bears."""
