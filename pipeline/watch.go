package pipeline

import "fmsr.example/fmsr/internal/frames"

// Watch lets a stage below a model see how a sample is drawn. The model's stage offers it in
// its Meta. A stage below fills it in when it is opened.
type Watch struct {
	Of frames.Origin // the sample: its file's index as the seed, its frame and its number
	// See gets x_t (C,H,W) in physical units, at the start and after each step of the sampler, and
	// must copy what it keeps; nil: nobody watches. It runs on the model's thread.
	See func(t float64, x []float32)
}

// Wants reports whether somebody watches that sample.
func (w *Watch) Wants(o frames.Origin) bool {
	return w.See != nil && o.Seed == w.Of.Seed && o.Frame == w.Of.Frame && o.Sample == w.Of.Sample
}
