package model

import (
	"fmt"
	"math"
	"strings"

	"fmsr/internal/field"
	"fmsr/internal/field/plan"
)

// Inputs are statistics of coarse fields in physical units: of a network's training
// fields, or of fields to apply it to.
type Inputs struct {
	H, W   int         // grid, coarse cells
	Frames int         // number of frames measured
	Std    []float64   // of each field, over all frames
	Power  [][]float64 // of each field: the mean of P(k), cells taken as square
}

// InputMeter computes Inputs from frames.
type InputMeter struct {
	inputs  Inputs
	welford []field.Welford
	spectra *plan.Spectra // of the first frame's grid
}

// NewInputMeter returns a meter for frames of `fields` fields.
func NewInputMeter(fields int) *InputMeter {
	return &InputMeter{welford: make([]field.Welford, fields), inputs: Inputs{Power: make([][]float64, fields)}}
}

// Add measures a frame on a coarse grid, planes (C,H,W) in physical units. A frame on
// another grid than the first frame is skipped, since its wavenumbers differ.
func (m *InputMeter) Add(planes []float32, grid field.Grid) error {
	if m.spectra == nil {
		var err error
		if m.spectra, err = plan.NewSpectra(field.Grid{H: grid.H, W: grid.W}, 0); err != nil {
			return fmt.Errorf("spectrum of the input: %w", err)
		}
		m.inputs.H, m.inputs.W = grid.H, grid.W
		for c := range m.inputs.Power {
			m.inputs.Power[c] = make([]float64, m.spectra.Hi.Len())
		}
	}
	if grid.H != m.inputs.H || grid.W != m.inputs.W {
		return nil
	}
	power := make([][]float64, len(m.welford))
	for c := range power {
		power[c] = make([]float64, m.spectra.Hi.Len())
	}
	if err := m.spectra.Add(power, nil, nil, planes); err != nil {
		return fmt.Errorf("spectrum of the input: %w", err)
	}
	m.inputs.Frames++
	for c := range m.welford {
		m.welford[c].Merge(plan.Moments(planes[c*grid.Cells():][:grid.Cells()]))
		for k, v := range power[c] {
			m.inputs.Power[c][k] += (v - m.inputs.Power[c][k]) / float64(m.inputs.Frames)
		}
	}
	return nil
}

// Inputs returns the statistics of all frames so far.
func (m *InputMeter) Inputs() Inputs {
	in := m.inputs
	for _, w := range m.welford {
		in.Std = append(in.Std, w.Std())
	}
	return in
}

// alike is the factor by which a spread or a power may differ from training's.
const alike = 1.3

// negligible is a share of a field's variance that is lost in float32's round-off.
const negligible = 1e-8

// Differences returns a line for each field whose spread, or whose power in an
// octave of wavelength, is not within 30% of training's. Wavelengths are in cells,
// so that fields of other sizes compare.
func (trained Inputs) Differences(channels []string, given Inputs) []string {
	var lines []string
	for c, name := range channels {
		var found []string
		note := func(what string, got, want float64) {
			if ratio := got / want; ratio > alike || ratio < 1/alike {
				of := "%s %.3g (%.2f times %.3g)"
				if len(found) == 0 {
					of = "%s %.3g (%.2f times training's %.3g)"
				}
				found = append(found, fmt.Sprintf(of, what, got, ratio, want))
			}
		}
		note("spread", given.Std[c], trained.Std[c])
		was, is := trained.octaves(c), given.octaves(c)
		least := negligible * math.Pow(max(trained.Std[c], given.Std[c]), 2)
		for i := range min(len(was), len(is)) {
			if max(was[i], is[i]) < least {
				continue
			}
			note(fmt.Sprintf("power in waves of %d to %d cells", 2<<i, 4<<i), is[i], was[i])
		}
		if found != nil {
			lines = append(lines, name+": "+strings.Join(found, ", "))
		}
	}
	return lines
}

// shortestOctave is the lowest shell at which an octave is compared: shells below it
// have so few waves that their power is a matter of chance.
const shortestOctave = 8

// octaves returns a field's power in waves of 2 to 4 cells, 4 to 8, and so on.
func (in Inputs) octaves(c int) []float64 {
	var powers []float64
	n := max(in.H, in.W)
	for n >= 2*shortestOctave {
		powers = append(powers, field.Band(in.Power[c], n/4+1, n/2+1))
		n /= 2
	}
	return powers
}

// Check returns an error for values that no meter can give.
func (in Inputs) Check(fields int) error {
	if in.H < 1 || in.W < 1 || len(in.Std) != fields || len(in.Power) != fields {
		return fmt.Errorf("grid %d x %d, %d spreads and %d spectra for %d fields", in.H, in.W, len(in.Std), len(in.Power), fields)
	}
	for c, p := range in.Power {
		for _, v := range append([]float64{in.Std[c]}, p...) {
			if !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("field %d: %g", c, v)
			}
		}
	}
	return nil
}
