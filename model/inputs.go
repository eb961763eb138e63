package model

import (
	"context"
	"fmt"
	"math"
	"strings"

	"fmsr/internal/field"
	"fmsr/internal/field/plan"
	"fmsr/internal/torchx"
)

// Inputs is what coarse fields were, in physical units: those that a network was
// trained on, or those that it is to be applied to.
type Inputs struct {
	H, W   int         // grid, coarse cells
	Frames int         // how many were looked at
	Std    []float64   // of each field, over all of them
	Power  [][]float64 // of each field: the mean of P(k), cells taken as square
}

// InputMeter gathers Inputs. Close it.
type InputMeter struct {
	inputs  Inputs
	welford []field.Welford
	shells  *field.Shells
	thread  *torchx.Thread
}

// NewInputMeter is for that many fields.
func NewInputMeter(fields int) (*InputMeter, error) {
	thread, err := torchx.StartThread(1)
	if err != nil {
		return nil, err
	}
	return &InputMeter{thread: thread, welford: make([]field.Welford, fields), inputs: Inputs{Power: make([][]float64, fields)}}, nil
}

// Add takes a frame in, planes (C,h,w) in physical units; one of another grid
// than the first's is passed over, since its wave numbers are not the first's.
func (m *InputMeter) Add(ctx context.Context, planes []float32, h, w int) error {
	if m.shells == nil {
		m.inputs.H, m.inputs.W = h, w
		m.shells = field.NewShells(field.Grid{H: h, W: w})
	}
	if h != m.inputs.H || w != m.inputs.W {
		return nil
	}
	var power []float32
	err := m.thread.Do(ctx, func(s *torchx.Scope) error {
		power = s.Floats(s.PowerSpectrum2d(s.FromFloats(planes, int64(len(m.welford)), int64(h), int64(w))))
		return s.Err()
	})
	if err != nil {
		return fmt.Errorf("spectrum of the input: %w", err)
	}
	m.inputs.Frames++
	half := h * (w/2 + 1)
	for c := range m.welford {
		m.welford[c].Merge(plan.Moments(planes[c*h*w : (c+1)*h*w]))
		p := m.shells.Sum(power[c*half : (c+1)*half])
		if m.inputs.Power[c] == nil {
			m.inputs.Power[c] = make([]float64, len(p))
		}
		for k, v := range p {
			m.inputs.Power[c][k] += (v - m.inputs.Power[c][k]) / float64(m.inputs.Frames)
		}
	}
	return nil
}

// Inputs is what was gathered.
func (m *InputMeter) Inputs() Inputs {
	in := m.inputs
	for _, w := range m.welford {
		in.Std = append(in.Std, w.Std())
	}
	return in
}

// Close ends the meter's thread.
func (m *InputMeter) Close() { m.thread.Close() }

// alike is how far a spread, or a power, may be from training's, as a factor.
const alike = 1.3

// negligible is a share of a field's variance that single precision does not
// tell from nothing.
const negligible = 1e-8

// Differences says, a line a field, where the spread of what is given, or its
// power in an octave of wavelength, is not within 30% of training's. Wavelengths
// are in cells, so that fields of other sizes compare.
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

// shortestOctave is the least shell that an octave is judged by: below it are so
// few waves that their power is a matter of chance.
const shortestOctave = 8

// octaves is a field's power in waves of 2 to 4 cells, 4 to 8, and so on.
func (in Inputs) octaves(c int) []float64 {
	var powers []float64
	n := max(in.H, in.W)
	for n >= 2*shortestOctave {
		powers = append(powers, field.Band(in.Power[c], n/4+1, n/2+1))
		n /= 2
	}
	return powers
}

// Check refuses what no meter gives.
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
