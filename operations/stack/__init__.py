"""A stack's file, its Pulumi state, and the one way to run Pulumi on it (`pulumi.Pulumi`)."""
