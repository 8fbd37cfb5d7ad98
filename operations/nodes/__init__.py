"""The health check of the compute nodes before they get ranks: what they say, the verdict, its record."""
