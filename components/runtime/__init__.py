"""What every container is made with: files, volumes, identities, limits, health and hardened settings.

A service takes `context.Context` and calls `container.run`.
"""
