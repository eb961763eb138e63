// Package sinks holds the stages at the end of a flow, each in the file of its name;
// parts of a large one are in NAME_*.go. kept, keeper, step, logfile, object, truth, page,
// kernels.go and figures.go are shared, and merge.go joins what runs that share the work have kept. Some sinks follow the model from step to step. eval fills step.Eval with figures and pictures. Each sink
// below it writes them in one format, and is short because it embeds stepSink:
//
//	steps -> eval --(step.Eval: figures, pictures)--> metrics -> images -> tensorboard -> wandb -> report
//
// Each passes the step on, so any of them can be left out. Metrics, sources and
// pictures are in package internal/evaluate. The other sinks take frames:
//
//	frames of seeds       export        a data set: a file for each seed, and manifest.json
//	                      spectra       P(k) of every frame and field
//	                      layout_save   the folders that npy_load reads
//	samples of superres   compare       compares them with the truth, and passes them on
//	                      physics     measures what they get right of the truth's physics
//	                      film        films x_t of one sample
//	                      files_save    a file for each input file
package sinks
