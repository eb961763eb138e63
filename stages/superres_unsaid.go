package stages

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/model"
)

// Unsaid are the keys for what a checkpoint of PyTorch's does not say. A checkpoint that
// says it is not contradicted.
type Unsaid struct {
	BaseDist string `yaml:"base_dist" oneof:"as_trained|x_lo_plus_noise|gaussian" flag:"base-dist" doc:"distribution that sampling starts from, for a checkpoint that does not say it"`
	Padding  string `yaml:"padding" oneof:"as_trained|periodic|open|zeros" flag:"padding" doc:"of convolutions, for a checkpoint that does not say it"`
	Factor   int    `yaml:"factor" min:"0" max:"1024" doc:"fine cells per coarse cell along each axis, for a checkpoint that does not say it; 0: as trained"`
	Boundary string `yaml:"boundary" oneof:"as_trained|periodic|open|clamp" doc:"of the interpolation, for a checkpoint that does not say it"`
}

// asTrainedName in a key of Unsaid means the checkpoint's value or, if it has none, the
// original code's.
const asTrainedName = "as_trained"

// open is the word of run.grid.boundary for a boundary that is not periodic.
var open = field.Open.String()

// settle completes the checkpoint with the keys, and returns what it still lacks, with
// the values of the original code that are taken for it. A key that contradicts the
// checkpoint is an error.
func (u Unsaid) settle(l *model.Loaded, noiseIsGiven bool) (assumed string, err error) {
	if u.Padding == open {
		u.Padding = "zeros"
	}
	if u.Boundary == open {
		u.Boundary = "clamp"
	}
	var taken []string
	key := func(key, config, given, none, has string, set func()) error {
		unsaid := slices.Contains(l.Unsaid, config)
		switch {
		case given == none && unsaid:
			taken = append(taken, key+" "+has)
		case given != none && unsaid:
			set()
		case given != none && given != has:
			return fmt.Errorf("%s is %s, but the checkpoint was trained with %s: leave the key out", key, given, has)
		}
		return nil
	}
	err = errors.Join(
		key("base_dist", "base_dist", u.BaseDist, asTrainedName, string(l.Flow.Base), func() { l.Flow.Base = model.BaseDist(u.BaseDist) }),
		key("padding", "periodic_padding", u.Padding, asTrainedName, either(l.Config.Periodic, "zeros"), func() { l.Config.Periodic = u.Padding == "periodic" }),
		key("factor", "factor", strconv.Itoa(u.Factor), "0", strconv.Itoa(l.Input.Factor), func() { l.Input.Factor = u.Factor }),
		key("boundary", "periodic_input", u.Boundary, asTrainedName, either(l.Input.Periodic, "clamp"), func() { l.Input.Periodic = u.Boundary == "periodic" }),
	)
	if err != nil {
		return "", err
	}
	if l.Flow.Base == model.XLoPlusNoise && slices.Contains(l.Unsaid, "base_noise_scale") && !noiseIsGiven {
		taken = append(taken, fmt.Sprintf("base_noise_scale %g", l.Flow.NoiseScale))
	}
	l.Plan, err = model.Plan(l.Config)
	return strings.Join(taken, ", "), err
}

func either(periodic bool, otherwise string) string {
	if periodic {
		return "periodic"
	}
	return otherwise
}
