"""Sources of a stack's resources: its program, the exported state, or the running engine.

`stacks` reads the first two, `live` the engine; `places` finds the line that declares a resource.
"""
