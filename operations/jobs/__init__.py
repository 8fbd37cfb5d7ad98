"""A user's own jobs: packing them, whether they fit, submitting and following them."""
