"""The benchmark: is this machine, with this stack, good enough to train and serve models?"""
