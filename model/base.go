package model

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"

	"fmsr/internal/field"
	"fmsr/internal/format/torchfile"
	"fmsr/internal/torchx"
)

// MeasuredBase is what the training frames say of a base distribution, in normalized units:
//
//	x0 = x_lo + base_noise_scale n,   n ~ N(0, C),  C the covariance with the colour of each field
//
// The colour of LostBand is that of x_hi - x_lo: chiefly of what pooling lost, and of what
// interpolation blurred. Of all N(x_lo, C) with a stationary C for each field, this has the
// largest likelihood on the training frames.
type MeasuredBase struct {
	Colours []field.Colour // of each field's noise
}

// Measures reports whether the flow has a MeasuredBase.
func (f Flow) Measures() bool { return f.Base == LostBand && f.Objective != Regression }

// BaseMeter measures a MeasuredBase.
type BaseMeter struct {
	grid    field.Grid
	colours []*field.ColourMeter
}

// NewBaseMeter returns a meter without frames, for so many fields on a grid.
func NewBaseMeter(fields int, grid field.Grid) *BaseMeter {
	m := &BaseMeter{grid: grid}
	for range fields {
		m.colours = append(m.colours, field.NewColourMeter(grid))
	}
	return m
}

// Add adds a frame, x_hi and x_lo (C,H,W), normalized. A nil meter measures nothing.
func (m *BaseMeter) Add(hi, lo []float32) {
	if m == nil {
		return
	}
	cells := m.grid.Cells()
	lacks := make([]float32, cells)
	for c, meter := range m.colours {
		for i := range lacks {
			lacks[i] = hi[c*cells+i] - lo[c*cells+i]
		}
		meter.Add(lacks)
	}
}

// Base returns the base of the frames so far, nil of a nil meter.
func (m *BaseMeter) Base() *MeasuredBase {
	if m == nil {
		return nil
	}
	base := &MeasuredBase{}
	for _, c := range m.colours {
		base.Colours = append(base.Colours, c.Colour())
	}
	return base
}

// Check returns an error for what no meter of so many fields can give.
func (b *MeasuredBase) Check(fields int) error {
	if b == nil || len(b.Colours) != fields {
		return fmt.Errorf("want the spectra of noise of %d fields", fields)
	}
	for i, c := range b.Colours {
		if err := c.Check(); err != nil {
			return fmt.Errorf("field %d: %w", i, err)
		}
	}
	return nil
}

// String returns a digest, by which ranks compare their trainings.
func (b *MeasuredBase) String() string {
	data, _ := json.Marshal(b) // Check has found numbers alone
	return fmt.Sprintf("%.8x", sha256.Sum256(data))
}

// rms returns the deviation of the noise, over all fields.
func (b *MeasuredBase) rms() float64 {
	sum := 0.0
	for _, c := range b.Colours {
		sum += c.Variance() / float64(len(b.Colours))
	}
	return math.Sqrt(sum)
}

// GridBase makes a flow's noise for fields on a grid:
//
//	white (N,C,H,W) --> each field filtered to its colour --> its part that constraints leave free
//
// The filter multiplies the amplitude of each wave by sqrt(Power). It does so by matrices, on
// the tensors' own device: cas(2 pi j k / n) / sqrt(n), cas = cos + sin, is symmetric and its own
// inverse (Hartley 1942), and mixes no waves but those of one |ky| and |kx|, which have one
// Power. That takes 4 (H + W) multiplications for each value, and next to no time beside the
// network.
type GridBase struct {
	base       *MeasuredBase // nil: white noise of variance 1
	grid       field.Grid
	y, x       []float32   // the matrices (H,H), (W,W)
	gains      []float32   // sqrt(Power), (C,W,H)
	projection *Projection // nil: free noise
}

// NewGridBase returns the base of a flow on a grid. It is nil for standard normal noise.
func NewGridBase(f Flow, in Input, grid field.Grid, stats *field.Stats) (*GridBase, error) {
	projection, err := NewProjection(f.Noise, in, grid, stats)
	if err != nil || projection == nil && f.Measured == nil {
		return nil, err
	}
	b := &GridBase{base: f.Measured, grid: grid, projection: projection}
	if b.base == nil {
		return b, nil
	}
	b.y, b.x = hartley(grid.H), hartley(grid.W)
	for _, c := range b.base.Colours {
		for kx := range grid.W {
			for ky := range grid.H {
				b.gains = append(b.gains, float32(math.Sqrt(c.At(grid, ky, kx))))
			}
		}
	}
	return b, nil
}

// hartley returns cas(2 pi j k / n) / sqrt(n), (n,n).
func hartley(n int) []float32 {
	line := make([]float32, n)
	for i := range line {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(n))
		line[i] = float32((sin + cos) / math.Sqrt(float64(n)))
	}
	m := make([]float32, n*n)
	for j := range n {
		for k := range n {
			m[j*n+k] = line[j*k%n]
		}
	}
	return m
}

// Noise returns the noise (N,C,H,W) that standard normal noise becomes, on the device and in
// the format of a network's config. A nil GridBase changes nothing.
func (b *GridBase) Noise(s *torchx.Scope, c Config, white torchx.Tensor) torchx.Tensor {
	if b != nil && b.base != nil {
		white = s.Within(func(s *torchx.Scope) torchx.Tensor { return b.colour(s, c.Device, white) })
	}
	if b != nil && b.projection != nil {
		return b.projection.Noise(s, c, white)
	}
	return s.To(white, torchx.Float32, c.Device, c.Format)
}

// colour filters each sample by itself: ranks that have fewer of them get the same bits.
func (b *GridBase) colour(s *torchx.Scope, device torchx.Device, white torchx.Tensor) torchx.Tensor {
	fields, h, w := int64(len(b.base.Colours)), int64(b.grid.H), int64(b.grid.W)
	tensor := func(values []float32, shape ...int64) torchx.Tensor {
		return s.To(s.FromFloats(values, shape...), torchx.Float32, device, torchx.NCHW)
	}
	y, x, gains := tensor(b.y, h, h), tensor(b.x, w, w), tensor(b.gains, fields, w, h)
	var samples []torchx.Tensor
	for i := range white.Shape()[0] {
		samples = append(samples, s.Within(func(s *torchx.Scope) torchx.Tensor {
			one := s.To(s.Narrow(white, 0, i, 1), torchx.Float32, device, torchx.NCHW)
			rows := s.Linear(s.Reshape(one, fields*h, w), x, torchx.Tensor{})
			cols := s.Reshape(s.Transpose(s.Reshape(rows, fields, h, w), 1, 2), fields*w, h)
			waves := s.Mul(s.Reshape(s.Linear(cols, y, torchx.Tensor{}), fields, w, h), gains)
			cols = s.Linear(s.Reshape(waves, fields*w, h), y, torchx.Tensor{})
			rows = s.Reshape(s.Transpose(s.Reshape(cols, fields, w, h), 1, 2), fields*h, w)
			return s.Reshape(s.Linear(rows, x, torchx.Tensor{}), 1, fields, h, w)
		}))
	}
	return s.Cat(0, samples...)
}

// baseKey is the key of a checkpoint's dict that has a MeasuredBase: power (C, rows, columns).
const baseKey = "base"

func (b *MeasuredBase) dict() torchfile.Dict {
	first := b.Colours[0]
	var power []float64
	for _, c := range b.Colours {
		power = append(power, c.Power...)
	}
	return torchfile.Dict{{Key: "power", Value: doubleTensor(power, int64(len(b.Colours)), int64(first.Rows), int64(first.Cols))}}
}

// readBase undoes dict, where the flow has a MeasuredBase.
func (l *Loaded) readBase() error {
	if !l.Flow.Measures() {
		return nil
	}
	dict, err := l.dict(baseKey)
	if err != nil {
		return err
	}
	if dict == nil {
		dict = &torchfile.Map{}
	}
	power, ok := dict.Get("power").(*torchfile.Stored)
	if !ok || len(power.Shape) != 3 || int(power.Shape[0]) != len(l.Channels) {
		return fmt.Errorf("base.power is missing or not of %d fields: base_dist %s has the spectra of its noise there", len(l.Channels), l.Flow.Base)
	}
	values, err := l.file.Doubles(power)
	if err != nil {
		return fmt.Errorf("base.power: %w", err)
	}
	base := &MeasuredBase{}
	for c := range l.Channels {
		base.Colours = append(base.Colours, field.Colour{Rows: int(power.Shape[1]), Cols: int(power.Shape[2]), Power: part(values, c, len(l.Channels))})
	}
	l.Flow.Measured = base
	if err := base.Check(len(l.Channels)); err != nil {
		return fmt.Errorf("base.power: %w", err)
	}
	return nil
}
