package stages

import (
	"strings"
	"testing"

	"fmsr.example/fmsr/model"
)

// TestUnsaid: keys complete a checkpoint that does not say how it was trained, what is
// assumed is listed, and a checkpoint that says it is not contradicted.
func TestUnsaid(t *testing.T) {
	five := []string{"base_dist", "base_noise_scale", "periodic_padding", "factor", "periodic_input"}
	said := Unsaid{BaseDist: asTrainedName, Padding: asTrainedName, Boundary: asTrainedName}
	for name, c := range map[string]struct {
		unsaid  []string
		given   Unsaid
		noise   bool
		assumed string
		flow    model.Flow
		err     string
	}{
		"whole":         {nil, said, false, "", model.Flow{Base: model.XLoPlusNoise, NoiseScale: 0.1}, ""},
		"five keys":     {five, said, false, "base_dist x_lo_plus_noise, padding zeros, factor 2, boundary clamp, base_noise_scale 0.1", model.Flow{Base: model.XLoPlusNoise, NoiseScale: 0.1}, ""},
		"noise given":   {five[1:2], said, true, "", model.Flow{Base: model.XLoPlusNoise, NoiseScale: 0.1}, ""},
		"gaussian":      {five, Unsaid{"gaussian", "periodic", 4, "periodic"}, false, "", model.Flow{Base: model.Gaussian, NoiseScale: 0.1}, ""},
		"agrees":        {nil, Unsaid{"x_lo_plus_noise", "zeros", 2, "clamp"}, false, "", model.Flow{Base: model.XLoPlusNoise, NoiseScale: 0.1}, ""},
		"contradiction": {nil, Unsaid{"gaussian", "zeros", 4, "clamp"}, false, "", model.Flow{}, "base_dist is gaussian, but the checkpoint was trained with x_lo_plus_noise: leave the key out\nfactor is 4"},
	} {
		l := &model.Loaded{Flow: model.Flow{Base: model.XLoPlusNoise, NoiseScale: 0.1}, Config: model.Config{Fields: 1, Channels: 4, Mult: []int{1}}, Unsaid: c.unsaid}
		l.Input.Factor = 2
		assumed, err := c.given.settle(l, c.noise)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", name, err, c.err)
			}
		case err != nil || assumed != c.assumed || l.Flow != c.flow:
			t.Errorf("%s: assumed %q, flow %+v, %v", name, assumed, l.Flow, err)
		case c.given.Padding == "periodic" && !(l.Plan.Config().Periodic && l.Input == model.Input{Factor: 4, Periodic: true}):
			t.Errorf("%s: config %+v, input %+v", name, l.Plan.Config(), l.Input)
		}
	}
}
