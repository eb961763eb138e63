package model

import (
	"context"
	"math"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// TestDrawInBatches: a sample is the same, up to round-off, whatever the batch that
// it is drawn in, with an ODE's solver and with the SDE.
func TestDrawInBatches(t *testing.T) {
	const n, side = 5, 16
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1}
	onOneCore(t, func(s *torchx.Scope) error {
		net, err := NewNet(s, Config{Fields: 2, Channels: 16}, 1)
		if err != nil {
			return err
		}
		defer net.Free()
		randomized(s, net)
		g := Generator{Inference: NewInference(net, false), Stats: &field.Stats{Mean: []float64{1, -2}, Std: []float64{0.5, 3}}}
		defer g.Close()
		xLo := s.Randn(1, n, 2, side, side)
		for _, p := range []Sampler{
			{Flow: flow, Solver: Multistep, Steps: 3, TMin: 1e-4, TMax: 1 - 1e-4, Schedule: Constant},
			{Flow: flow, Steps: 3, TMin: 1e-4, TMax: 1 - 1e-4, Delta: 0.5, Schedule: Matched},
		} {
			g.Sampler = p
			draw := func(batch int) []float32 {
				out := make([]float32, n*2*side*side)
				for at := 0; at < n; at += batch {
					size := min(batch, n-at)
					g.Streams = func(k uint64) (streams []uint64) {
						for i := range size {
							streams = append(streams, 1000*k+uint64(at+i))
						}
						return streams
					}
					g.Draw(context.Background(), s, s.Narrow(xLo, 0, int64(at), int64(size)), out[at*2*side*side:][:size*2*side*side])
				}
				return out
			}
			one := draw(1)
			for _, batch := range []int{2, 3, 5} {
				worst, exact := 0.0, true
				for i, x := range draw(batch) {
					worst = max(worst, math.Abs(float64(x-one[i])))
					exact = exact && x == one[i]
				}
				t.Logf("in batches of %d, delta %g: off by %.2g, the same bits: %v", batch, p.Delta, worst, exact)
				if !(worst < 1e-4) {
					t.Errorf("in batches of %d, delta %g: off by %g", batch, p.Delta, worst)
				}
			}
		}
		return s.Err()
	})
}
