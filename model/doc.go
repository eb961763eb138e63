// Package model holds the velocity network, flow matching, the samplers and the
// optimization.
//
//	training   x_hi, x_lo --> Flow: x0, t, xt --> Net --> loss --> Trainer: backward, clip, AdamW --> EMA
//	                                                                  |
//	                                              checkpoint.pt <-- Snapshot      Step: the token that flows on
//	                                                   |
//	applying                                        Loaded --> Net
//	                                                            |
//	           x_lo --> Generator: Flow.SampleBase: x0 --> Sampler: steps over Inference.Velocity --> x1 --> physical units
//
// Where to find what:
//
//	net.go, parameters.go   Net, the interface of networks, and the list of networks; declaring parameters
//	unet.go, memory.go      the UNet, and the memory that it needs
//	onnx.go                 the UNet as an ONNX graph
//	flow.go                 the path, the loss, the base distribution, the score
//	base.go                 base distributions that are measured on the training frames, and their noise
//	objective.go            what else than flow matching the network is trained for, as baselines: regression, CRPS
//	sample.go               Sampler: the one loop over steps, and where it is watched and constrained
//	solver.go, multistep.go each solver's step and the list of solvers; sde.go: the SDE's step and w(t)
//	samplerconfig.go        a sampler's keys in specs, and their checks
//	generator.go            Generator: from x_lo to samples in physical units; field.Stats undoes the normalization
//	constrain.go            Projection: moves the x1 of each step, and noise, to the nearest that satisfies constraints
//	constraintconfig.go     the keys of constraints in specs
//	tiles.go                the velocity of a field that is too large, from windows of it
//	trainer.go, step.go     Trainer: training steps and the EMA; the token of a step
//	ranks.go                a Trainer among ranks: its rows of a batch, averaged gradients, one state
//	checkpoint.go           writing checkpoint.pt; load.go: reading it; resume.go: resuming from it; verify.go, weights.go
//	inputs.go               statistics of the training inputs
//
// The package imports nothing of specs or stages; only the tags of SamplerConfig and
// ConstraintConfig are written for them. Tensors are (N,C,H,W), normalized,
// float32 unless autocast says otherwise. Everything runs on the torch thread.
package model
