"""A stack's file, its Pulumi state, and the wrapper of the Pulumi command (`pulumi.Pulumi`)."""
