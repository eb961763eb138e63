package model

import (
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
)

// baseNoiseKey is the key of a checkpoint's config that has the constraints of noise: the
// lists constraints and magnetic, and divb. Free noise has no key.
const baseNoiseKey = "base_noise"

func noiseDict(c field.Constraints, channels []string) torchfile.Dict {
	n := namesOf(c, channels)
	return torchfile.Dict{{Key: "constraints", Value: names(n.Constraints)}, {Key: "divb", Value: n.DivB}, {Key: "magnetic", Value: names(n.Magnetic)}}
}

// describe returns the constraints of noise for a message.
func (l *Loaded) describe(c field.Constraints) string {
	if c == (field.Constraints{}) {
		return "free"
	}
	n := namesOf(c, l.Channels)
	return fmt.Sprintf("constrained to %s (divb %q)", strings.Join(n.Constraints, ", "), n.DivB)
}

// readNoise undoes noiseDict.
func (l *Loaded) readNoise(config *torchfile.Map) (err error) {
	v := config.Get(baseNoiseKey)
	if v == nil {
		return nil
	}
	dict, ok := v.(*torchfile.Map)
	if !ok {
		return fmt.Errorf("config.%s is %s: want a dict", baseNoiseKey, torchfile.What(v))
	}
	var given ConstraintConfig
	if _, err := value(l, dict, "config.base_noise.", "divb", &given.DivB); err != nil {
		return err
	}
	for key, into := range map[string]*[]string{"constraints": &given.Constraints, "magnetic": &given.Magnetic} {
		items, ok := torchfile.Items(dict.Get(key))
		if !ok {
			return fmt.Errorf("config.base_noise.%s is %s: want a list", key, torchfile.What(dict.Get(key)))
		}
		for _, item := range items {
			name, _ := item.(string)
			*into = append(*into, name)
		}
	}
	if len(given.Magnetic) != 3 {
		return fmt.Errorf("config.base_noise.magnetic has %d names: want 3", len(given.Magnetic))
	}
	if l.Flow.Noise, err = given.of(l.Channels); err != nil {
		return fmt.Errorf("config.base_noise: %w", err)
	}
	return nil
}
