"""The data centre's parts: pure plans first, then Pulumi components that carry them out."""
