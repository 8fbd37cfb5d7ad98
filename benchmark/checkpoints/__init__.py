"""What training leaves behind: checkpoints to go on from, artefacts to serve, the journal of a job."""
