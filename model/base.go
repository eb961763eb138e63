package model

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/torchx"
)

// MeasuredBase is what the training frames say of a base distribution, in normalized units:
//
//	x0 = m + base_noise_scale n,   n ~ N(0, C),  C the covariance with the colour of each field
//
// The colour is that of x_hi - m: of all N(m, C) with a stationary C for each field, this has
// the largest likelihood on the training frames.
//
// LostBand has m = x_lo. What x_hi has beyond that is chiefly what pooling lost, and what
// interpolation blurred. Learned has for m the linear filter of x_lo with the least squared error. This is
// stochastic flow matching (Fotiadis et al. 2024, arXiv:2410.19814) with an encoder that is
// linear, so that it and its error need no training, and with the spectrum of this error
// in place of its deviation.
type MeasuredBase struct {
	Colours []field.Colour  // of each field's noise
	Filters []*field.Linear // of each field; nil: m is x_lo
}

// Measures reports whether the flow has a MeasuredBase.
func (f Flow) Measures() bool {
	return (f.Base == LostBand || f.Base == Learned) && f.Objective != Regression
}

// BaseMeter measures a MeasuredBase. A nil meter measures nothing.
type BaseMeter struct {
	dist    BaseDist
	in      Input
	grid    field.Grid
	stats   *field.Stats
	colours []*field.ColourMeter
	held    []heldFrame // of Learned: their filters are fitted to them first
}

// heldFrame has the planes of a frame, (C,H,W) and (C,H/factor,W/factor), normalized.
type heldFrame struct{ hi, coarse []float32 }

// NewBaseMeter returns a meter without frames, of so many fields on a grid, normalized by
// stats, whose x_lo was made as in says. It is nil for a flow that measures nothing.
func NewBaseMeter(f Flow, fields int, in Input, grid field.Grid, stats *field.Stats) *BaseMeter {
	if !f.Measures() {
		return nil
	}
	m := &BaseMeter{dist: f.Base, in: in, grid: grid, stats: stats}
	for range fields {
		m.colours = append(m.colours, field.NewColourMeter(grid))
	}
	return m
}

// Add adds a frame, x_hi and x_lo (C,H,W), normalized. Learned wants the frames that the
// filters are fitted to.
func (m *BaseMeter) Add(hi, lo []float32) {
	switch {
	case m == nil:
	case m.dist == Learned:
		m.held = append(m.held, heldFrame{slices.Clone(hi), coarsePlanes(lo, m.in, m.grid, m.stats)})
	default:
		m.add(hi, func(c int) []float32 { return part(lo, c, len(m.colours)) })
	}
}

// add adds what x_hi (C,H,W) has beyond the planes (H,W) of the base's mean.
func (m *BaseMeter) add(hi []float32, mean func(c int) []float32) {
	_ = parallel.Each(len(m.colours), func(c int) error { // of which none fails
		rest := slices.Clone(part(hi, c, len(m.colours)))
		for i, v := range mean(c) {
			rest[i] -= v
		}
		m.colours[c].Add(rest)
		return nil
	})
}

// Base returns the base of the frames so far, which Learned takes the filters for.
func (m *BaseMeter) Base(filters []*field.Linear) *MeasuredBase {
	if m == nil {
		return nil
	}
	base := &MeasuredBase{}
	if m.dist == Learned {
		base.Filters = filters
	}
	for _, f := range m.held {
		m.add(f.hi, func(c int) []float32 {
			mean := make([]float32, m.grid.Cells())
			filters[c].Apply(mean, part(f.coarse, c, len(filters)), m.grid)
			return mean
		})
	}
	for _, c := range m.colours {
		base.Colours = append(base.Colours, c.Colour())
	}
	return base
}

// Check returns an error for what no meter of so many fields can give.
func (b *MeasuredBase) Check(dist BaseDist, fields int) error {
	if b == nil || len(b.Colours) != fields {
		return fmt.Errorf("want the spectra of noise of %d fields", fields)
	}
	if dist == Learned && len(b.Filters) != fields {
		return fmt.Errorf("want the filters of %d fields", fields)
	}
	for i, c := range b.Colours {
		if err := c.Check(); err != nil {
			return fmt.Errorf("field %d has %w", i, err)
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

// GridBase makes a flow's base for fields on a grid:
//
//	x_lo (N,C,H,W)  --> the coarse planes --> each field filtered --> mean of x0
//	white (N,C,H,W) --> each field filtered to its colour --> its part that constraints leave free
//
// The filter multiplies the amplitude of each wave by sqrt(Power). It does so by matrices, on
// the tensors' own device: cas(2 pi j k / n) / sqrt(n), cas = cos + sin, is symmetric and its own
// inverse (Hartley 1942), and mixes no waves but those of one |ky| and |kx|, which have one
// Power. That takes 2 (H + W) multiplications for each value, and next to no time beside the
// network.
type GridBase struct {
	base       *MeasuredBase // nil: the mean x_lo and white noise of variance 1
	in         Input
	grid       field.Grid
	stats      *field.Stats
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
	b := &GridBase{base: f.Measured, in: in, grid: grid, stats: stats, projection: projection}
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

// Mean returns the mean of x0 (N,C,H,W) for x_lo (N,C,H,W), on the device and in the format of
// a network's config.
func (b *GridBase) Mean(s *torchx.Scope, c Config, xLo torchx.Tensor) torchx.Tensor {
	if b == nil || b.base == nil || b.base.Filters == nil {
		return s.Alias(xLo)
	}
	return s.Within(func(s *torchx.Scope) torchx.Tensor {
		values := s.Floats(xLo)
		if s.Err() != nil {
			return torchx.Tensor{}
		}
		shape, small := xLo.Shape(), b.grid.Coarser(b.in.Factor)
		coarse := s.FromFloats(coarsePlanes(values, b.in, b.grid, b.stats), shape[0], shape[1], int64(small.H), int64(small.W))
		return s.To(b.filter(s, c.Device, coarse), torchx.Float32, c.Device, c.Format)
	})
}

// filter returns field.Linear.Apply of coarse planes (N,C,h,w), by one convolution whose
// factor^2 outputs of a field are the cells of its coarse cell.
func (b *GridBase) filter(s *torchx.Scope, device torchx.Device, coarse torchx.Tensor) torchx.Tensor {
	const cells = field.LinearFeatures - 1
	width := int64(math.Sqrt(cells))
	fields, f, h, w, edge := int64(len(b.base.Filters)), int64(b.in.Factor), coarse.Shape()[2], coarse.Shape()[3], width/2
	var kernels, constants []float32
	for c, filter := range b.base.Filters {
		for phase := range b.in.Factor * b.in.Factor {
			row := make([]float32, len(b.base.Filters)*cells)
			weights := part(filter.Weights, phase, b.in.Factor*b.in.Factor)
			for i, weight := range weights[:cells] {
				row[c*cells+i] = float32(weight)
			}
			kernels, constants = append(kernels, row...), append(constants, float32(weights[cells]))
		}
	}
	kernel := onDevice(s, device, kernels, fields*f*f, fields, width, width)
	constant := onDevice(s, device, constants, fields*f*f)
	return eachSample(s, device, coarse, func(s *torchx.Scope, x torchx.Tensor) torchx.Tensor {
		x = framed(s, x, 2, edge, b.grid.Boundary[0])
		x = framed(s, x, 3, edge, b.grid.Boundary[1])
		x = s.Narrow(s.Narrow(s.Conv2d(x, kernel, constant, false), 2, edge, h), 3, edge, w)
		x = s.Reshape(x, fields, f, f, h, w)
		x = s.Transpose(s.Transpose(s.Transpose(x, 1, 3), 2, 3), 3, 4) // (C,h,f,w,f)
		return s.Reshape(x, 1, fields, h*f, w*f)
	})
}

// framed returns x with so many cells more at both ends of dim: those that field.Linear
// sees beyond a boundary.
func framed(s *torchx.Scope, x torchx.Tensor, dim, more int64, beyond field.Boundary) torchx.Tensor {
	if s.Err() != nil {
		return x
	}
	n := x.Shape()[dim]
	var parts []torchx.Tensor
	for i := -more; i < n+more; i++ {
		at := (i%n + n) % n
		if beyond == field.Open {
			at = min(max(i, 0), n-1)
		}
		switch {
		case i == 0:
			parts = append(parts, x)
		case i < 0 || i >= n:
			parts = append(parts, s.Narrow(x, dim, at, 1))
		}
	}
	return s.Cat(dim, parts...)
}

// onDevice returns values as a float32 tensor of that shape.
func onDevice(s *torchx.Scope, device torchx.Device, values []float32, shape ...int64) torchx.Tensor {
	return torchx.Upload(s, values, torchx.Float32, device, torchx.NCHW, shape...)
}

// eachSample returns of(x) of each sample x (1,...) of all (N,...), joined. A sample's bits
// are its own: ranks that have fewer samples get the same.
func eachSample(s *torchx.Scope, device torchx.Device, all torchx.Tensor, of func(s *torchx.Scope, x torchx.Tensor) torchx.Tensor) torchx.Tensor {
	if s.Err() != nil {
		return torchx.Tensor{}
	}
	var out []torchx.Tensor
	for i := range all.Shape()[0] {
		out = append(out, s.Within(func(s *torchx.Scope) torchx.Tensor {
			return of(s, s.To(s.Narrow(all, 0, i, 1), torchx.Float32, device, torchx.NCHW))
		}))
	}
	return s.Cat(0, out...)
}

// colour gives white noise (N,C,H,W) its spectra.
func (b *GridBase) colour(s *torchx.Scope, device torchx.Device, white torchx.Tensor) torchx.Tensor {
	fields, h, w := int64(len(b.base.Colours)), int64(b.grid.H), int64(b.grid.W)
	y, x, gains := onDevice(s, device, b.y, h, h), onDevice(s, device, b.x, w, w), onDevice(s, device, b.gains, fields, w, h)
	return eachSample(s, device, white, func(s *torchx.Scope, one torchx.Tensor) torchx.Tensor {
		rows := s.Linear(s.Reshape(one, fields*h, w), x, torchx.Tensor{})
		cols := s.Reshape(s.Transpose(s.Reshape(rows, fields, h, w), 1, 2), fields*w, h)
		waves := s.Mul(s.Reshape(s.Linear(cols, y, torchx.Tensor{}), fields, w, h), gains)
		cols = s.Linear(s.Reshape(waves, fields*w, h), y, torchx.Tensor{})
		rows = s.Reshape(s.Transpose(s.Reshape(cols, fields, w, h), 1, 2), fields*h, w)
		return s.Reshape(s.Linear(rows, x, torchx.Tensor{}), 1, fields, h, w)
	})
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
	if l.Flow.Base == Learned {
		base.Filters = l.Filters
	}
	l.Flow.Measured = base
	if err := base.Check(l.Flow.Base, len(l.Channels)); err != nil {
		return fmt.Errorf("base: %w", err)
	}
	return nil
}
