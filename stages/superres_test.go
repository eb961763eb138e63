package stages

import (
	"math"
	"slices"
	"testing"

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

// TestNonsenseIsRefused: NaN and Inf by every number of superres and train.
func TestNonsenseIsRefused(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	reported := func(c pipeline.Validator) []string {
		var keys []string
		c.Validate(&pipeline.Run{}, func(key, _ string, _ ...any) { keys = append(keys, key) })
		return keys
	}
	fresh := func() *Superres {
		d, _ := pipeline.Lookup("superres")
		return d.Config().(*Superres)
	}
	if keys := reported(fresh()); keys != nil {
		t.Fatalf("the defaults: %v", keys)
	}
	for name, spoil := range map[string]func(*Superres, float64){
		"sde_delta":        func(c *Superres, v float64) { c.SDEDelta = v },
		"t_min":            func(c *Superres, v float64) { c.TMin = v },
		"t_max":            func(c *Superres, v float64) { c.TMax = v },
		"base_noise_scale": func(c *Superres, v float64) { c.BaseNoiseScale = v },
	} {
		for _, v := range []float64{nan, inf} {
			c := fresh()
			spoil(c, v)
			if keys := reported(c); !slices.Contains(keys, name) {
				t.Errorf("%s %g: reported %v", name, v, keys)
			}
		}
	}
	d, _ := pipeline.Lookup("train")
	for key, spoil := range map[string]func(*Train){
		"lr": func(c *Train) { c.LR = nan }, "grad_clip": func(c *Train) { c.GradClip = inf }, "loss_scale": func(c *Train) { c.LossScale = nan },
		"weight_decay": func(c *Train) { c.WeightDecay = nan }, "t_min": func(c *Train) { c.TMax = nan }, "base_noise_scale": func(c *Train) { c.BaseNoiseScale = nan },
	} {
		c := d.Config().(*Train)
		spoil(c)
		if keys := reported(c); !slices.Contains(keys, key) {
			t.Errorf("train.%s: reported %v", key, keys)
		}
	}
}
