"""When a run is cheapest or cleanest: a plan from a series of prices or of carbon intensities."""
