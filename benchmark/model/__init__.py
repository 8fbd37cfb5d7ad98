"""Models, their optimiser and kernels, compiling, and how good a model is (`evaluate`)."""
