"""The collector: takes the lines of all services from the engine, takes secrets out, and stores them."""
