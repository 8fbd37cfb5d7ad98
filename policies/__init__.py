"""Policy as code: rules as pure functions, applied to a plan, to exported state and to running containers."""
