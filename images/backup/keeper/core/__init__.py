"""What all rooms know: settings, names of objects, series of snapshots, the record of a run."""
