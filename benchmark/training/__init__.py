"""Training itself: `train.train` is the loop, `job` its program, `ray_train` starts it on a Ray cluster."""
