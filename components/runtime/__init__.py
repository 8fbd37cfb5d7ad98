"""The means of every container: files, volumes, identities, limits, health and hardened settings.

A service takes `context.Context` and calls `container.run`.
"""
