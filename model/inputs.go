package model

import (
	"fmt"
	"math"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
)

// Look is what a coarse field looks like, in physical units: in one frame, or on average
// over frames.
type Look struct {
	Mean, Std float64
	Shares    []float64 // of the variance, in waves of 2 to 4 cells, 4 to 8, and so on
}

// Inputs are the looks of a network's training fields.
type Inputs struct {
	Frames    int       // number of frames measured
	Std       []float64 // of each field, over all frames
	Low, High []Look    // of each field: the least and the greatest values of a frame
}

// InputMeter measures coarse frames. Its zero value is ready.
type InputMeter struct {
	spectra map[field.Grid]*plan.Spectra
	inputs  Inputs
	welford []field.Welford
}

// Look measures a frame on a coarse grid, planes (C,H,W) in physical units: each field's
// look, with cells taken as square.
func (m *InputMeter) Look(planes []float32, grid field.Grid) ([]Look, error) {
	grid = field.Grid{H: grid.H, W: grid.W}
	if m.spectra == nil {
		m.spectra = map[field.Grid]*plan.Spectra{}
	}
	spectra := m.spectra[grid]
	if spectra == nil {
		var err error
		if spectra, err = plan.NewSpectra(grid, 0); err != nil {
			return nil, fmt.Errorf("spectrum of the input: %w", err)
		}
		m.spectra[grid] = spectra
	}
	var looks []Look
	normal := make([]float32, grid.Cells())
	for ; len(planes) > 0; planes = planes[grid.Cells():] {
		plane := planes[:grid.Cells()]
		w := plan.Moments(plane)
		look := Look{Mean: w.Mean, Std: w.Std()}
		power := make([]float64, spectra.Hi.Len())
		if look.Std <= roundOff*math.Abs(look.Mean) {
			look.Std = 0
		} else {
			for i, v := range plane {
				normal[i] = float32((float64(v) - look.Mean) / look.Std)
			}
			if err := spectra.Add([][]float64{power}, nil, nil, normal); err != nil {
				return nil, fmt.Errorf("spectrum of the input: %w", err)
			}
		}
		look.Shares = octaves(power, max(grid.H, grid.W))
		looks = append(looks, look)
	}
	return looks, nil
}

// roundOff is the relative deviation of a constant field of float32 values.
const roundOff = 4.0 / (1 << 24)

// shortestOctave is the lowest shell at which an octave is compared: shells below it
// have so few waves that their power is a matter of chance.
const shortestOctave = 8

// octaves returns the power in waves of 2 to 4 cells, 4 to 8, and so on, of P(k) of a
// field whose longest side has n cells.
func octaves(power []float64, n int) []float64 {
	var shares []float64
	for ; n >= 2*shortestOctave; n /= 2 {
		shares = append(shares, field.Band(power, n/4+1, n/2+1))
	}
	return shares
}

// Add measures a training frame. All frames must have the same grid.
func (m *InputMeter) Add(planes []float32, grid field.Grid) error {
	looks, err := m.Look(planes, grid)
	if err != nil {
		return err
	}
	in := &m.inputs
	in.Frames++
	if in.Low == nil {
		m.welford = make([]field.Welford, len(looks))
		in.Low, in.High = looks, looks
	}
	in.Low, in.High = combine(in.Low, looks, math.Min), combine(in.High, looks, math.Max)
	for c := range looks {
		m.welford[c].Merge(plan.Moments(planes[c*grid.Cells():][:grid.Cells()]))
	}
	return nil
}

// combine returns the looks whose every figure is of(a's, b's).
func combine(a, b []Look, of func(a, b float64) float64) []Look {
	out := make([]Look, len(a))
	for c := range a {
		out[c] = Look{Mean: of(a[c].Mean, b[c].Mean), Std: of(a[c].Std, b[c].Std)}
		for i := range a[c].Shares {
			out[c].Shares = append(out[c].Shares, of(a[c].Shares[i], b[c].Shares[i]))
		}
	}
	return out
}

// Inputs returns the statistics of all training frames so far.
func (m *InputMeter) Inputs() Inputs {
	in := m.inputs
	for _, w := range m.welford {
		in.Std = append(in.Std, w.Std())
	}
	return in
}

// AverageLooks returns the mean looks of frames on one grid: geometric means, but for
// the means themselves. A constant field has no deviation and no spectrum: frames where
// it is constant, such as the start of a simulation, count in its mean alone.
func AverageLooks(frames [][]Look) []Look {
	average := make([]Look, len(frames[0]))
	for c := range average {
		var mean, logStd float64
		logShares := make([]float64, len(frames[0][c].Shares))
		varying := 0.0
		for _, looks := range frames {
			look := looks[c]
			mean += look.Mean / float64(len(frames))
			if look.Std == 0 {
				continue
			}
			varying++
			logStd += math.Log(look.Std)
			for i, share := range look.Shares {
				logShares[i] += math.Log(share)
			}
		}
		average[c] = Look{Mean: mean, Shares: make([]float64, len(logShares))}
		if varying == 0 {
			continue
		}
		average[c].Std = math.Exp(logStd / varying)
		for i, sum := range logShares {
			average[c].Shares[i] = math.Exp(sum / varying)
		}
	}
	return average
}

// RoughInputs returns what is known of the training inputs of a checkpoint that says
// nothing of them: they have the mean of the fine fields and a deviation like theirs.
func RoughInputs(fine *field.Stats) *Inputs {
	in := &Inputs{Frames: 1 << 30} // the range needs no widening
	for c, mean := range fine.Mean {
		std := fine.Std[c]
		in.Std = append(in.Std, std)
		in.Low = append(in.Low, Look{Mean: mean - 0.7*std, Std: std / 8})
		in.High = append(in.High, Look{Mean: mean + 0.7*std, Std: std * 2})
	}
	return in
}

// How far beyond the range of the training frames a frame may be: a mean by so many
// deviations of the field, a deviation and a share by these factors. Held-out frames of
// the simulation that was trained on stay within; spectra vary the most.
const (
	meanApart  = 0.3
	stdApart   = 1.3
	shareApart = 2
)

// negligible is a share of a field's variance that is lost in float32's round-off.
const negligible = 1e-8

// Differences returns a line for each field whose mean, deviation or spectrum is beyond
// the range of the training frames. That range is widened as above, and by an n-th of
// itself, since n frames do not reach its ends. Wavelengths are in cells, so that fields
// of other sizes compare.
func (trained *Inputs) Differences(channels []string, given []Look) []string {
	var lines []string
	wider := 1 / float64(trained.Frames)
	for c, name := range channels {
		got, low, high := given[c], trained.Low[c], trained.High[c]
		var found []string
		room := meanApart*trained.Std[c] + wider*(high.Mean-low.Mean) + roundOff*math.Abs(high.Mean)
		if got.Mean < low.Mean-room || got.Mean > high.Mean+room {
			found = append(found, fmt.Sprintf("mean %.3g (training's %.3g to %.3g)", got.Mean, low.Mean, high.Mean))
		}
		if outOf(got.Std, low.Std, high.Std, stdApart, wider) {
			found = append(found, fmt.Sprintf("deviation %.3g (training's %.3g to %.3g)", got.Std, low.Std, high.Std))
		}
		for i := range min(len(got.Shares), len(low.Shares)) {
			share, least, most := got.Shares[i], low.Shares[i], high.Shares[i]
			if got.Std > 0 && max(share, most) > negligible && outOf(share, least, most, shareApart, wider) {
				found = append(found, fmt.Sprintf("%.2g%% of the variance in waves of %d to %d cells (training's %.2g%% to %.2g%%)",
					100*share, 2<<i, 4<<i, 100*least, 100*most))
			}
		}
		if found != nil {
			lines = append(lines, name+": "+strings.Join(found, ", "))
		}
	}
	return lines
}

// outOf reports whether v is outside low to high by more than a factor. The range is
// widened by that share of itself first, in logarithms.
func outOf(v, low, high, factor, wider float64) bool {
	if low == 0 { // a field that is constant in some frames
		return v > factor*high
	}
	factor *= math.Pow(high/low, wider)
	return v < low/factor || v > factor*high
}

// Check returns an error for values that no meter can give.
func (in *Inputs) Check(fields int) error {
	if in.Frames < 1 || len(in.Std) != fields {
		return fmt.Errorf("%d frames, %d deviations for %d fields", in.Frames, len(in.Std), fields)
	}
	for c, v := range in.Std {
		if !possible(v) {
			return fmt.Errorf("field %d: %g", c, v)
		}
	}
	if err := CheckLooks(append(in.Low[:len(in.Low):len(in.Low)], in.High...), 2*fields); err != nil {
		return err
	}
	return CheckLooks(in.High, fields)
}

// CheckLooks returns an error for looks that no meter can give.
func CheckLooks(looks []Look, fields int) error {
	if len(looks) != fields {
		return fmt.Errorf("the looks of %d fields, want %d", len(looks), fields)
	}
	for c, l := range looks {
		if len(l.Shares) != len(looks[0].Shares) {
			return fmt.Errorf("field %d has %d shares, the first %d", c, len(l.Shares), len(looks[0].Shares))
		}
		for _, v := range append([]float64{l.Std, math.Abs(l.Mean)}, l.Shares...) {
			if !possible(v) {
				return fmt.Errorf("field %d: %g", c, v)
			}
		}
	}
	return nil
}

func possible(v float64) bool { return v >= 0 && !math.IsInf(v, 0) }
