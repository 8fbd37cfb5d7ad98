"""Policy as code: rules as pure functions, used on a plan, on exported state and on running containers."""
