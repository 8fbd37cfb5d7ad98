"""Results in MLflow: runs and their history, versions of models, which version is served."""
