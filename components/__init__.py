"""The parts of the data centre: pure plans first, then the Pulumi components that implement them."""
