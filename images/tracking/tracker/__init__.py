"""What the containers of experiment tracking run: MLflow's server, and the job that prepares its databases."""
