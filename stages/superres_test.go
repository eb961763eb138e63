package stages

import (
	"math"
	"strings"
	"testing"

	"fmsr/internal/torchx"
	"fmsr/model"
	"fmsr/pipeline"
)

// TestTileFor: tiles only where the whole does not fit, then the largest whose
// network takes half of what is left, and never less than the network can use.
func TestTileFor(t *testing.T) {
	c, err := model.Plan(model.Config{Fields: 8})
	if err != nil {
		t.Fatal(err)
	}
	whole := c.SampleBytes(4096, 2048)
	if tile := tileFor(c, 4096, 2048, whole); tile != 0 {
		t.Errorf("tile %d where the whole fits", tile)
	}
	left := whole - 1
	tile := tileFor(c, 4096, 2048, left)
	if tile%8 != 0 || c.SampleBytes(tile, tile) > left/2 || c.SampleBytes(tile+8, tile+8) <= left/2 {
		t.Errorf("tile %d", tile)
	}
	if tile := tileFor(c, 4096, 2048, 1000); tile != model.MinTile(8) {
		t.Errorf("tile %d where nothing is left, want the smallest", tile)
	}
	// the published network at 256 x 256, which 8 GB hold
	if n := c.SampleBytes(256, 256); n < 5e8 || n > 4e9 {
		t.Errorf("%d bytes at 256 x 256", n)
	}
}

// TestChosenBatch: one sample on the CPU; on a GPU as many as the budget holds.
func TestChosenBatch(t *testing.T) {
	for _, c := range []struct {
		device            torchx.Device
		channels, h, w, n int
	}{
		{torchx.CPU, 128, 16, 16, 1}, {torchx.CPU, 32, 1024, 512, 1},
		{torchx.CUDA(0), 32, 256, 256, 8}, {torchx.CUDA(0), 128, 4096, 4096, 1},
	} {
		net, err := model.Plan(model.Config{Fields: 8, Channels: c.channels, Device: c.device})
		if err != nil {
			t.Fatal(err)
		}
		if n := chosenBatch(net, 0, c.h, c.w); n != c.n {
			t.Errorf("%+v: a batch of %d", c, n)
		}
	}
}

// TestNonsenseIsRefused: NaN and Inf in every number of superres and train, each
// under its own key.
func TestNonsenseIsRefused(t *testing.T) {
	refused := func(key string, part pipeline.Part) {
		t.Helper()
		_, err := pipeline.Compose(nil, part)
		if err == nil || !strings.Contains(err.Error(), "flow[0]."+key+": is ") {
			t.Errorf("%s: error %v", key, err)
		}
	}
	for _, x := range []float64{math.NaN(), math.Inf(1)} {
		for key, spoil := range map[string]func(*Superres){
			"t_min": func(c *Superres) { c.TMin = x }, "t_max": func(c *Superres) { c.TMax = x },
			"sde_delta": func(c *Superres) { c.SDEDelta = x }, "base_noise_scale": func(c *Superres) { c.BaseNoiseScale = x },
		} {
			refused("superres."+key, pipeline.With(spoil))
		}
		for key, spoil := range map[string]func(*Train){
			"lr": func(c *Train) { c.LR = x }, "grad_clip": func(c *Train) { c.GradClip = x }, "loss_scale": func(c *Train) { c.LossScale = x },
			"weight_decay": func(c *Train) { c.WeightDecay = x }, "t_min": func(c *Train) { c.TMin = x }, "t_max": func(c *Train) { c.TMax = x },
			"base_noise_scale": func(c *Train) { c.BaseNoiseScale = x },
		} {
			refused("train."+key, pipeline.With(spoil))
		}
	}
	for key, spoil := range map[string]func(*Superres){
		"t_min": func(c *Superres) { c.TMin = 0.5; c.TMax = 0.5 }, "solver": func(c *Superres) { c.Solver = "ab2" }, "sde_schedule": func(c *Superres) { c.SDESchedule = "none" },
		"sample_steps": func(c *Superres) { c.SampleSteps = -1 },
	} {
		refused("superres."+key, pipeline.With(spoil))
	}
	if _, err := pipeline.Compose(nil, pipeline.With[Superres](nil)); err == nil || strings.Contains(err.Error(), ": is ") {
		t.Errorf("the defaults: %v", err)
	}
}
