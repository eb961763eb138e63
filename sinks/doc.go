// Package sinks holds the stages at a flow's end, one file each. Some look at the
// model at a step, and at what was found:
//
//	steps -> eval --(step.Eval: scalars, pictures)--> metrics -> images -> tensorboard -> wandb -> report
//
// Each passes the step on, so that any of them can be left out or added. The
// others take frames:
//
//	frames of seeds          export        a data set: a file a seed, and manifest.json
//	                         spectra       P(k) of every frame and field
//	                         layout_save   the folders that npy_load reads
//	what superres has made   compare       held against the truth; passes frames on
//	                         files_save    a file for each input file
package sinks
