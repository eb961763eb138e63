package stages

import (
	"math"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// TestTileFor: tiles only where the whole does not fit, then the largest whose
// network takes half of what is left, and never less than the network can use.
func TestTileFor(t *testing.T) {
	c, err := model.Plan(model.Config{Fields: 8})
	if err != nil {
		t.Fatal(err)
	}
	d := drawing{net: c, grid: field.Grid{H: 4096, W: 2048}, fields: 8, samples: 1, batch: 1}
	frame := int64(4 * 8 * 4096 * 2048)
	rest := 21*frame + model.PackedBytes(c)
	whole := c.SampleBytes(4096, 2048) + rest
	if tile := d.tileFor(whole); tile != 0 {
		t.Errorf("tile %d where the whole fits", tile)
	}
	left := whole - 1
	tile := d.tileFor(left)
	if room := (left - rest) / 2; tile%8 != 0 || c.SampleBytes(tile, tile) > room || c.SampleBytes(tile+8, tile+8) <= room {
		t.Errorf("tile %d", tile)
	}
	if tile := d.tileFor(1000); tile != model.MinTile(8) {
		t.Errorf("tile %d where nothing is left, want the smallest", tile)
	}
	// the published network at 256 x 256, which 8 GB hold
	if n := c.SampleBytes(256, 256); n < 5e8 || n > 4e9 {
		t.Errorf("%d bytes at 256 x 256", n)
	}
}

// TestDrawingLack: members, batches and fields count, and the error names what to lower.
func TestDrawingLack(t *testing.T) {
	c, err := model.Plan(model.Config{Fields: 2, Channels: 4, Mult: []int{1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	const left = 3e9
	for _, c := range []struct {
		d    drawing
		tile int
		want string // in the error; empty: it fits
	}{
		{drawing{c, field.Grid{H: 4096, W: 4096}, 2, 1, 1, false}, 64, ""},
		{drawing{c, field.Grid{H: 4096, W: 4096}, 2, 1, 1, false}, 2048, "lower superres.tile"},
		{drawing{c, field.Grid{H: 1024, W: 1024}, 2, 40, 1, false}, 0, ""},
		{drawing{c, field.Grid{H: 1024, W: 1024}, 2, 400, 1, false}, 64, "drawing 400 samples, 1 at once, of 2 fields on 1024 x 1024 cells in tiles of 64 x 64 would take about 3.6 GB, and 3.0 GB of memory are left: lower superres.samples"},
		{drawing{c, field.Grid{H: 1024, W: 1024}, 2, 1, 400, false}, 64, "lower superres.batch"},
		{drawing{c, field.Grid{H: 1024, W: 1024}, 2, 1e6, 1e6, false}, 0, "lower superres.batch"},
		{drawing{c, field.Grid{H: 4096, W: 4096}, 2, 1, 1, true}, 64, "would take about 3.4 GB"},
		{drawing{c, field.Grid{H: 65536, W: 65536}, 2, 1, 1, false}, 64, "cut the fields into parts"},
	} {
		switch err := c.d.lack(c.tile, left); {
		case err == nil && c.want != "", err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v in tiles of %d: %v, want %q", c.d.grid, c.tile, err, c.want)
		}
	}
}

// TestTrainingLack: what no memory holds is refused, under the key that is too large.
func TestTrainingLack(t *testing.T) {
	const left = 20e9
	for _, c := range []struct {
		channels, mult, batch, side int
		want                        string
	}{
		{128, 2, 4, 128, ""},
		{1024, 2, 1, 128, "lower train.model_channels"},
		{128, 64, 1, 128, "lower train.model_channels"},
		{32, 2, 100000, 128, "lower batch.size"},
		{128, 2, 1, 1 << 20, "lower train.model_channels"},
	} {
		tr := &train{env: &pipeline.Env{}, in: pipeline.Meta{Grid: field.Grid{H: c.side, W: c.side}, Batch: c.batch}}
		net, err := model.Plan(model.Config{Fields: 1, Channels: c.channels, Mult: []int{1, 2, 2, c.mult}})
		if err != nil {
			t.Fatal(err)
		}
		tr.config = net.Config()
		switch err := tr.checkMemory(net, left); {
		case err == nil && c.want != "", err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestMembersTakeMemory: a step of an ensemble's training takes the memory of all members.
func TestMembersTakeMemory(t *testing.T) {
	net, err := model.Plan(model.Config{Fields: 1, Channels: 32})
	if err != nil {
		t.Fatal(err)
	}
	bytes := func(objective string) float64 {
		tr := &train{Train: Train{Objective: objective, Members: 3}, in: pipeline.Meta{Grid: field.Grid{H: 64, W: 64}}}
		return tr.sampleBytes(net)
	}
	for objective, times := range map[string]float64{"flow": 1, "regression": 1, "crps": 3} {
		if got := bytes(objective) / bytes("flow"); got != times {
			t.Errorf("%s: %g times the memory of flow matching, want %g", objective, got, times)
		}
	}
}

// TestBatchWithinEpoch: a batch takes at most the frames of an epoch; a step of several
// batches may take more.
func TestBatchWithinEpoch(t *testing.T) {
	for batch, ok := range map[int]bool{1: true, 6: true, 7: false, math.MaxInt: false} {
		tr := &train{Train: Train{Accumulate: 3}, in: pipeline.Meta{Batch: batch, Frames: map[frames.Split]int{frames.Train: 6}}}
		if err := tr.checkBatch(); (err == nil) != ok {
			t.Errorf("%d: %v", batch, err)
		}
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
