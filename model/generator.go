package model

import (
	"context"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// Inference applies a network without gradients and in one precision. On CUDA it
// records the network and replays the recording.
type Inference struct {
	Net  Net
	BF16 bool // bf16 autocast; x and the velocity stay float32

	graph *torchx.Graph
}

// NewInference returns an Inference of a network. Close it before the network is freed,
// on the torch thread.
func NewInference(net Net, bf16 bool) *Inference {
	return &Inference{Net: net, BF16: bf16, graph: torchx.NewGraph(net.Config().Device, func(string) {})}
}

// Close frees the recordings.
func (f *Inference) Close() { f.graph.Close() }

// Velocity returns the network as a velocity field under the condition x_lo
// (N,C,H,W). A mean over times costs one evaluation: see Net.Forward.
func (f *Inference) Velocity(xLo torchx.Tensor) Velocity {
	c := f.Net.Config()
	return func(s *torchx.Scope, x torchx.Tensor, t ...float64) torchx.Tensor {
		in := []torchx.Tensor{s.Cat(1, x, xLo), times(s, c, x.Shape()[0], t)}
		var out []torchx.Tensor
		s.Part("forward", func() {
			out = f.graph.Run(s, in, func(s *torchx.Scope, in []torchx.Tensor) []torchx.Tensor {
				var v torchx.Tensor
				s.Autocast(c.Device, f.BF16, func() { v = Forward(s, f.Net, in[0], in[1]) })
				return []torchx.Tensor{s.To(v, c.DType, c.Device, c.Format)}
			})
		})
		return s.Clone(out[0]) // the next one may overwrite it
	}
}

// times returns t for each of n samples: (n), or (n,M) where there are M times.
func times(s *torchx.Scope, c Config, n int64, t []float64) torchx.Tensor {
	if len(t) == 1 {
		return s.Full(t[0], c.DType, c.Device, n)
	}
	row := s.Full(0, torchx.Float64, torchx.CPU, 1, int64(len(t)))
	torchx.Write(s, row, t)
	zero := s.Full(0, torchx.Float64, torchx.CPU, n, 1)
	return s.To(s.Add(zero, row), c.DType, c.Device, torchx.NCHW)
}

// Generator draws samples of fine fields:
//
//	x_lo (N,C,H,W), normalized --> noise, x0 --> Sampler over the network, whole or in tiles
//	    --> x1, normalized --> Stats undone --> (N,C,H,W) in physical units
//
// It is a plain value, made where it is needed. Inference holds the state that is kept
// between draws.
type Generator struct {
	*Inference
	Sampler Sampler
	Streams Streams
	Stats   *field.Stats // of the fields; nil: samples stay normalized
	OnX1    *Projection  // of the x1 predicted at each step, and of the sample; nil: none
	OnGrid  *GridBase    // the base on the fields' grid, as in training; nil: standard normal noise
	Tile    int          // side of tiles in cells, as NewTiling wants it; 0: whole fields
	Wraps   bool         // tiles wrap around the field's edges
}

// Streams returns the random streams of a batch's k-th noise: the noise of x0 for k =
// 0, the noise of step i of an SDE for k = i+1. It returns one stream for the whole
// batch, or one for each sample. With one for each sample, a sample's noise does not
// depend on its batch.
type Streams func(k uint64) []uint64

// Draw draws a sample for each frame of the normalized x_lo (N,C,H,W) and copies the
// samples to out (N,C,H,W), in physical units if there are Stats.
func (g Generator) Draw(ctx context.Context, s *torchx.Scope, xLo torchx.Tensor, out []float32) {
	torchx.NoGrad(func() { g.Read(s, g.Sample(ctx, s, xLo), out) })
}

// Sample returns a sample (N,C,H,W) for each frame of x_lo (N,C,H,W), both normalized.
func (g Generator) Sample(ctx context.Context, s *torchx.Scope, xLo torchx.Tensor) torchx.Tensor {
	defer torchx.KeepPacked()()
	mean := g.OnGrid.Mean(s, g.Net.Config(), xLo)
	x0 := g.Sampler.SampleBase(s, mean, g.noise(s, 0, xLo.Shape()))
	noise := func(s *torchx.Scope, step int) torchx.Tensor { return g.noise(s, uint64(step)+1, xLo.Shape()) }
	sampler := g.Sampler
	sampler.Mean = mean
	if g.OnX1 == nil {
		return sampler.Sample(ctx, s, g.velocity(xLo), x0, xLo, noise)
	}
	sampler.Constrain = g.OnX1.Constrain(s, g.Net.Config(), xLo)
	x := sampler.Sample(ctx, s, g.velocity(xLo), x0, xLo, noise)
	if s.Err() != nil {
		return x
	}
	return sampler.Constrain(s, x, xLo) // TMax may be less than 1, and the last step may have added noise
}

// Read copies normalized fields (N,C,H,W) to out, in physical units if there are Stats.
// Sampler.Watch can use it too.
func (g Generator) Read(s *torchx.Scope, x torchx.Tensor, out []float32) {
	torchx.Read(s, x, out)
	if g.Stats == nil || s.Err() != nil {
		return
	}
	shape := x.Shape()
	g.Stats.PhysicalPlanes(out, out, int(shape[2]*shape[3]))
}

// noise returns the k-th noise (N,C,H,W): standard normal, or what OnGrid makes of it.
func (g Generator) noise(s *torchx.Scope, k uint64, shape []int64) torchx.Tensor {
	c := g.Net.Config()
	streams := g.Streams(k)
	var drawn torchx.Tensor
	if len(streams) == 1 {
		drawn = s.Randn(streams[0], shape...)
	} else {
		var each []torchx.Tensor
		for _, stream := range streams {
			each = append(each, s.Randn(stream, append([]int64{1}, shape[1:]...)...))
		}
		drawn = s.Cat(0, each...)
	}
	return g.OnGrid.Noise(s, c, drawn)
}

// velocity returns the network's velocity under the condition x_lo, whole or in tiles.
func (g Generator) velocity(xLo torchx.Tensor) Velocity {
	if g.Tile == 0 {
		return g.Inference.Velocity(xLo)
	}
	shape := xLo.Shape()
	tiling := NewTiling(int(shape[2]), int(shape[3]), g.Tile, g.Net.Multiple(), g.Wraps)
	tiling.Device = g.Net.Config().Device
	return tiling.Velocity(xLo, g.Inference.Velocity)
}
