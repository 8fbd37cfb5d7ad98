"""Commands that measure nothing themselves: start a run, list and compare results, prepare data."""
