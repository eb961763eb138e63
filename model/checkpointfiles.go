package model

// CheckpointFile is the name of a training run's newest checkpoint in its folder.
const CheckpointFile = "checkpoint.pt"

// BestFile is the name of the checkpoint of the best evaluation.
const BestFile = "checkpoint.best.pt"

// CheckpointFiles matches the newest checkpoint, the best and the older ones, which have
// their step in their names.
const CheckpointFiles = "checkpoint*.pt"
