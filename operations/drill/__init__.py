"""A restore for trial: `restore` runs the throw-away containers, `judge` compares what they print."""
