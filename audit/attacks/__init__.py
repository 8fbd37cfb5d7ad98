"""What must not work, tried inside every container that runs. `attempts` lists and judges the attacks."""
