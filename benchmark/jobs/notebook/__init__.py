"""JupyterLab as a job: what it serves, who may open it, and how the work in it is kept."""
