package model

// CheckpointFile is the name of a training run's newest checkpoint in its folder.
const CheckpointFile = "checkpoint.pt"

// CheckpointFiles matches the newest checkpoint and the older ones, which have
// their step in their names.
const CheckpointFiles = "checkpoint*.pt"
