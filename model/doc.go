// Package model is the learning: the velocity network, flow matching, the
// samplers and the optimization.
//
//	x_hi, x_lo --> Flow: x0, t, xt --> UNet --> loss --> Trainer: backward, clip, AdamW --> EMA
//	                                    |
//	x_lo --> Flow.SampleBase: x0 --> Sampler: the ODE or the SDE over UNet.Velocity --> x1
//
// It knows nothing of specs or stages. Tensors are float32 unless autocast says
// otherwise, (N,C,H,W), normalized; everything runs on the torch thread.
package model
