package model

import (
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/field"
)

// ConstraintConfig are the keys of constraints in specs.
type ConstraintConfig struct {
	Constraints []string `yaml:"constraints" oneof:"coarse|divb|jz" flag:"constraints" doc:"coarse: pooling gives the coarse field that x_lo was interpolated from; divb: div B is 0; jz: jz is the curl of B, by central differences"`
	DivB        string   `yaml:"divb" oneof:"corner|central|spectral" flag:"divb" doc:"form of the constraint divb; corner: at cell corners, as constrained transport keeps it; central: central differences; spectral: ik"`
	Magnetic    []string `yaml:"magnetic" flag:"magnetic" doc:"names of Bx, By (B along the x and the y axis) and jz, for divb and jz"`
}

// The constraints by name.
const (
	coarseName = "coarse"
	divbName   = "divb"
	jzName     = "jz"
)

// DefaultConstraints returns the keys' defaults, with the named constraints.
func DefaultConstraints(names ...string) ConstraintConfig {
	return ConstraintConfig{Constraints: names, DivB: string(field.Corner), Magnetic: []string{"Bx", "By", "jz"}}
}

func (c ConstraintConfig) has(name string) bool { return slices.Contains(c.Constraints, name) }

// Validate reports a list of names that is not of Bx, By and jz, where they are needed.
func (c ConstraintConfig) Validate(report func(key, format string, args ...any)) {
	if (c.has(divbName) || c.has(jzName)) && len(c.Magnetic) != 3 {
		report("magnetic", "is %v: want the names of Bx, By and jz", c.Magnetic)
	}
}

// Of returns the constraints of fields on a grid. A field that one of them needs and that
// is missing is an error, and so is a domain that has no such constraint.
func (c ConstraintConfig) Of(channels []string, grid field.Grid) (field.Constraints, error) {
	out, err := c.of(channels)
	if err != nil {
		return out, err
	}
	return out, out.Check(grid)
}

func (c ConstraintConfig) of(channels []string) (field.Constraints, error) {
	out := field.Constraints{Coarse: c.has(coarseName), Jz: c.has(jzName)}
	needs := 0
	if c.has(divbName) {
		out.DivB, needs = field.DivB(c.DivB), 2
	}
	if c.has(jzName) {
		needs = 3
	}
	for i, name := range c.Magnetic[:needs] {
		if out.Magnetic[i] = slices.Index(channels, name); out.Magnetic[i] < 0 {
			return out, fmt.Errorf("the constraints %s need the fields %s, and %s is missing: the fields are %s (the key magnetic has the names of Bx, By and jz)",
				strings.Join(c.Constraints, ", "), strings.Join(c.Magnetic[:needs], ", "), name, strings.Join(channels, ", "))
		}
	}
	return out, nil
}

// namesOf undoes ConstraintConfig.of.
func namesOf(c field.Constraints, channels []string) ConstraintConfig {
	out := ConstraintConfig{DivB: string(c.DivB)}
	for _, x := range []struct {
		name string
		has  bool
	}{{coarseName, c.Coarse}, {divbName, c.DivB != ""}, {jzName, c.Jz}} {
		if x.has {
			out.Constraints = append(out.Constraints, x.name)
		}
	}
	for _, i := range c.Magnetic {
		out.Magnetic = append(out.Magnetic, channels[i])
	}
	return out
}
