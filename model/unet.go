package model

import (
	"fmt"
	"math"
	"slices"

	"fmsr/internal/rng"
	"fmsr/internal/torchx"
)

// Config is the shape of a UNet. Its zero fields are filled by the defaults of
// the published network: 128 channels, multipliers (1,2,2,2).
type Config struct {
	Fields   int   // C: fields of the target; the input has 2C channels
	Channels int   // model_channels: width of the first level
	Mult     []int // channel_mult: each level's width over model_channels
	Periodic bool  // convolutions wrap around the domain instead of padding with zeros

	DType  torchx.DType  // master weights; zero means float32
	Format torchx.Format // of activations and kernels
	Device torchx.Device
}

// The rest of the ADM layout, which fmsr does not vary.
const (
	resBlocks   = 2  // residual blocks a level on the way down; one more on the way up
	attentionAt = 4  // downsampling factor of the level that attends, besides the middle
	headWidth   = 64 // channels of an attention head, where the level is that wide
	normGroups  = 32
	normEps     = 1e-5
)

// DefaultMult are the published channel multipliers.
var DefaultMult = []int{1, 2, 2, 2}

// Downsampling is how much coarser the deepest level is: H and W of the input
// must be multiples of it.
func (c Config) Downsampling() int { return 1 << (len(c.Mult) - 1) }

// Param is one parameter under its ADM name.
type Param struct {
	Name  string
	Shape []int64
	torchx.Tensor
	zero bool // starts at zero
}

// UNet is the velocity model: v = UNet(cat(xt, x_lo), t), the ADM layout of
// Dhariwal & Nichol 2021, arXiv:2105.05233, with its parameter names.
//
//	x (N,2C,H,W) --> input_blocks: conv, then each level: 2 x ResBlock (+ attention at ds=4), ResBlock down
//	                      |  every output is kept as a skip
//	t (N) --> time_embed  |  and conditions every ResBlock by FiLM
//	                      v
//	                 middle_block: ResBlock, attention, ResBlock
//	                      |
//	                      v
//	v (N,C,H,W) <-- output_blocks: each level: 3 x cat(skip), ResBlock (+ attention at ds=4), ResBlock up <-- out
type UNet struct {
	Config
	Params []Param // in ADM's order

	graph  *torchx.Graph // of Velocity
	freqs  torchx.Tensor // (model_channels/2) angular frequencies of the time features
	embed  [2]layer
	stem   layer
	input  [][]block
	middle []block
	output [][]block
	norm   layer
	head   layer
}

// layer is a weight and a bias: of a convolution, a linear map or a norm.
type layer struct{ w, b torchx.Tensor }

// block is what input_blocks, middle_block and output_blocks are made of.
type block interface {
	forward(s *torchx.Scope, u *UNet, x, emb torchx.Tensor) torchx.Tensor
}

// NewUNet makes a UNet with PyTorch's default initialization (uniform in
// +-1/sqrt(fan_in)), zero where ADM starts at zero, as a function of seed. It
// must be called on the torch thread; Free releases it.
func NewUNet(s *torchx.Scope, c Config, seed uint64) (*UNet, error) {
	if c.Channels == 0 {
		c.Channels = 128
	}
	if len(c.Mult) == 0 {
		c.Mult = DefaultMult
	}
	if c.DType == 0 {
		c.DType = torchx.Float32
	}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	u := &UNet{Config: c, graph: torchx.NewGraph(c.Device, func(string) {})}
	b := builder{s: s, u: u, seed: seed}
	b.build()
	u.freqs = s.Keep(b.timeFrequencies())
	if err := s.Err(); err != nil {
		u.Free()
		return nil, fmt.Errorf("unet: %w", err)
	}
	return u, nil
}

// Parameters lists a network's parameters, without tensors, in ADM's order.
func Parameters(c Config) []Param {
	b := builder{u: &UNet{Config: c}}
	b.build()
	return b.u.Params
}

// mostLevels of a network: each halves the grid, and no grid is halved more often.
const mostLevels = 16

// Validate reports a shape that cannot be.
func (c Config) Validate() error {
	if c.Fields < 1 {
		return fmt.Errorf("unet: %d fields: want at least 1", c.Fields)
	}
	if c.Channels < 2 || c.Channels%2 != 0 {
		return fmt.Errorf("unet: model_channels %d: want an even number of at least 2", c.Channels)
	}
	if n := len(c.Mult); n < 1 || n > mostLevels {
		return fmt.Errorf("unet: %d levels: want 1 to %d", n, mostLevels)
	}
	for level, m := range c.Mult {
		if m < 1 {
			return fmt.Errorf("unet: channel_mult[%d] is %d: want at least 1", level, m)
		}
		if w := m * c.Channels; w > headWidth && w%headWidth != 0 {
			return fmt.Errorf("unet: level %d is %d channels wide: want at most %d or a multiple of it, the width of an attention head", level, w, headWidth)
		}
	}
	return nil
}

// Free releases the weights, on the torch thread.
func (u *UNet) Free() {
	u.graph.Close()
	for _, p := range u.Params {
		torchx.Free(p.Tensor)
	}
	torchx.Free(u.freqs)
}

// Tensors are the parameters' tensors, in order.
func (u *UNet) Tensors() []torchx.Tensor {
	ts := make([]torchx.Tensor, len(u.Params))
	for i, p := range u.Params {
		ts[i] = p.Tensor
	}
	return ts
}

// Count is the number of scalar parameters.
func (u *UNet) Count() int {
	n := 0
	for _, p := range u.Params {
		n += torchx.Numel(p.Tensor)
	}
	return n
}

// Forward is the velocity (N,C,H,W) at x = cat(xt, x_lo) (N,2C,H,W) and times
// t (N), which lie in [0,1]. Of times (N,M) the M embeddings are averaged, which
// gives, to first order in FiLM's scales and shifts, the mean of M velocities.
func (u *UNet) Forward(s *torchx.Scope, x, t torchx.Tensor) torchx.Tensor {
	return s.Within(func(s *torchx.Scope) torchx.Tensor {
		emb := u.timeEmbedding(s, t)
		h := s.Conv2d(x, u.stem.w, u.stem.b, u.Periodic)
		skips := []torchx.Tensor{h}
		for _, blocks := range u.input {
			h = u.run(s, blocks, h, emb)
			skips = append(skips, h)
		}
		h = u.run(s, u.middle, h, emb)
		for _, blocks := range u.output {
			last := len(skips) - 1
			h = s.Cat(1, h, skips[last])
			skips = skips[:last]
			h = u.run(s, blocks, h, emb)
		}
		h = s.NormSiLU(h, groups(int64(u.Channels*u.Mult[0])), u.norm.w, u.norm.b, normEps, torchx.Tensor{})
		return s.Conv2d(h, u.head.w, u.head.b, u.Periodic)
	})
}

func (u *UNet) run(s *torchx.Scope, blocks []block, h, emb torchx.Tensor) torchx.Tensor {
	for _, b := range blocks {
		h = s.Within(func(s *torchx.Scope) torchx.Tensor { return b.forward(s, u, h, emb) })
	}
	return h
}

// TimeFeatures are [cos(1000 t f), sin(1000 t f)], (N, model_channels), in the
// type of t: float32 at the least, since the angles reach 1000 rad.
func (u *UNet) TimeFeatures(s *torchx.Scope, t torchx.Tensor) torchx.Tensor {
	angle := s.Mul(s.Reshape(t, -1, 1), u.freqs)
	return s.Cat(1, s.Cos(angle), s.Sin(angle))
}

// times is t for each of n samples, (n), or (n,M) where there are M.
func (u *UNet) times(s *torchx.Scope, n int64, t []float64) torchx.Tensor {
	if len(t) == 1 {
		return s.Full(t[0], u.DType, u.Device, n)
	}
	row := s.Full(0, torchx.Float64, torchx.CPU, 1, int64(len(t)))
	torchx.Write(s, row, t)
	zero := s.Full(0, torchx.Float64, torchx.CPU, n, 1)
	return s.To(s.Add(zero, row), u.DType, u.Device, torchx.NCHW)
}

// timeEmbedding is Linear-SiLU-Linear of the features, then the SiLU that every
// ResBlock would otherwise apply to it first.
func (u *UNet) timeEmbedding(s *torchx.Scope, t torchx.Tensor) torchx.Tensor {
	emb := s.SiLU(u.timeMLP(s, t))
	if shape := t.Shape(); len(shape) == 2 {
		emb = s.Mean(s.Reshape(emb, shape[0], shape[1], -1), 1)
	}
	return emb
}

func (u *UNet) timeMLP(s *torchx.Scope, t torchx.Tensor) torchx.Tensor {
	h := s.Linear(u.TimeFeatures(s, t), u.embed[0].w, u.embed[0].b)
	return s.Linear(s.SiLU(h), u.embed[1].w, u.embed[1].b)
}

type resample int

const (
	same resample = iota
	down
	up
)

func (r resample) apply(s *torchx.Scope, x torchx.Tensor) torchx.Tensor {
	switch r {
	case down:
		return s.AvgPool2d(x, 2)
	case up:
		return s.UpsampleNearest(x, 2)
	default:
		return x
	}
}

// resBlock is norm-SiLU-(resample)-conv, FiLM(norm)-SiLU-conv(zero), plus the
// resampled input, through a 1x1 convolution where the widths differ.
type resBlock struct {
	in, out      int64
	resample     resample
	norm1, conv1 layer // in_layers.0, in_layers.2
	film         layer // emb_layers.1
	norm2, conv2 layer // out_layers.0, out_layers.3
	skip         layer // skip_connection; nil where in == out
}

func (r *resBlock) forward(s *torchx.Scope, u *UNet, x, emb torchx.Tensor) torchx.Tensor {
	h := s.NormSiLU(x, groups(r.in), r.norm1.w, r.norm1.b, normEps, torchx.Tensor{})
	h = r.resample.apply(s, h)
	x = r.resample.apply(s, x)
	h = s.Conv2d(h, r.conv1.w, r.conv1.b, u.Periodic)
	film := s.Linear(emb, r.film.w, r.film.b)
	h = s.NormSiLU(h, groups(r.out), r.norm2.w, r.norm2.b, normEps, film)
	if !torchx.IsNil(r.skip.w) {
		x = s.Conv2d(x, r.skip.w, r.skip.b, false)
	}
	return s.Watch(s.AddConv2d(x, h, r.conv2.w, r.conv2.b, u.Periodic)) // a step of the full network takes a minute on a CPU
}

// attention is self-attention over all positions. The rows of qkv are q, k, v,
// each by head; its weight and proj_out's are (out,in,1), 1-d convolutions.
type attention struct {
	channels           int64
	norm, qkv, projOut layer
}

func (a *attention) forward(s *torchx.Scope, _ *UNet, x, _ torchx.Tensor) torchx.Tensor {
	c := a.channels
	qkv := s.GroupNorm(x, groups(c), a.norm.w, a.norm.b, normEps)
	qkv = s.Conv2d(qkv, s.Reshape(a.qkv.w, 3*c, c, 1, 1), a.qkv.b, false)
	h := s.SelfAttention(qkv, c/min(headWidth, c))
	return s.AddConv2d(x, h, s.Reshape(a.projOut.w, c, c, 1, 1), a.projOut.b, false)
}

// groups is the number of norm groups for a width: 32 where it divides.
func groups(channels int64) int64 {
	a, b := channels, int64(normGroups)
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// builder declares the parameters in ADM's order as it makes the blocks.
type builder struct {
	s    *torchx.Scope // nil: they are only listed
	u    *UNet
	seed uint64

	drawn []float64 // elements of a parameter, reused: new memory takes longer than the drawing
}

func (b *builder) build() {
	u := b.u
	m := int64(u.Channels)
	e := 4 * m
	u.embed[0] = b.weights("time_embed.0", false, e, m)
	u.embed[1] = b.weights("time_embed.2", false, e, e)

	ch := m * int64(u.Mult[0])
	u.stem = b.weights("input_blocks.0.0", false, ch, int64(2*u.Fields), 3, 3)
	skips := []int64{ch}
	ds := 1
	input := func(blocks func(prefix string) []block) {
		u.input = append(u.input, blocks(fmt.Sprintf("input_blocks.%d.", len(u.input)+1)))
		skips = append(skips, ch)
	}
	for level, mult := range u.Mult {
		for range resBlocks {
			input(func(p string) []block {
				blocks := []block{b.res(p+"0.", ch, m*int64(mult), same)}
				ch = m * int64(mult)
				if ds == attentionAt {
					blocks = append(blocks, b.attention(p+"1.", ch))
				}
				return blocks
			})
		}
		if level+1 < len(u.Mult) {
			input(func(p string) []block { return []block{b.res(p+"0.", ch, ch, down)} })
			ds *= 2
		}
	}

	u.middle = []block{b.res("middle_block.0.", ch, ch, same), b.attention("middle_block.1.", ch), b.res("middle_block.2.", ch, ch, same)}

	for level := len(u.Mult) - 1; level >= 0; level-- {
		for i := range resBlocks + 1 {
			p := fmt.Sprintf("output_blocks.%d.", len(u.output))
			last := len(skips) - 1
			width := m * int64(u.Mult[level])
			blocks := []block{b.res(p+"0.", ch+skips[last], width, same)}
			skips, ch = skips[:last], width
			if ds == attentionAt {
				blocks = append(blocks, b.attention(p+"1.", ch))
			}
			if level > 0 && i == resBlocks {
				blocks = append(blocks, b.res(fmt.Sprintf("%s%d.", p, len(blocks)), ch, ch, up))
				ds /= 2
			}
			u.output = append(u.output, blocks)
		}
	}

	u.norm = b.normWeights("out.0", ch)
	u.head = b.weights("out.2", true, int64(u.Fields), ch, 3, 3)
}

func (b *builder) res(p string, in, out int64, r resample) *resBlock {
	block := &resBlock{in: in, out: out, resample: r}
	block.norm1 = b.normWeights(p+"in_layers.0", in)
	block.conv1 = b.weights(p+"in_layers.2", false, out, in, 3, 3)
	block.film = b.weights(p+"emb_layers.1", false, 2*out, 4*int64(b.u.Channels))
	block.norm2 = b.normWeights(p+"out_layers.0", out)
	block.conv2 = b.weights(p+"out_layers.3", true, out, out, 3, 3)
	if in != out {
		block.skip = b.weights(p+"skip_connection", false, out, in, 1, 1)
	}
	return block
}

func (b *builder) attention(p string, c int64) *attention {
	return &attention{
		channels: c,
		norm:     b.normWeights(p+"norm", c),
		qkv:      b.weights(p+"qkv", false, 3*c, c, 1),
		projOut:  b.weights(p+"proj_out", true, c, c, 1),
	}
}

// weights declares a weight of that shape and its bias, both uniform in
// +-1/sqrt(fan_in), or zero.
func (b *builder) weights(name string, zero bool, shape ...int64) layer {
	fanIn := 1.0
	for _, d := range shape[1:] {
		fanIn *= float64(d)
	}
	bound := 1 / math.Sqrt(fanIn)
	if zero {
		bound = 0
	}
	return layer{b.param(name+".weight", 0, bound, shape...), b.param(name+".bias", 0, bound, shape[0])}
}

func (b *builder) normWeights(name string, c int64) layer {
	return layer{b.param(name+".weight", 1, 0, c), b.param(name+".bias", 0, 0, c)}
}

// param declares a parameter whose elements are uniform in center +- bound.
func (b *builder) param(name string, center, bound float64, shape ...int64) torchx.Tensor {
	u := b.u
	p := Param{Name: name, Shape: shape, zero: center == 0 && bound == 0}
	if b.s == nil {
		u.Params = append(u.Params, p)
		return p.Tensor
	}
	stream := rng.Stream(b.seed, rng.Weights, uint64(len(u.Params)))
	b.drawn = slices.Grow(b.drawn[:0], numel(shape))[:numel(shape)]
	for i := range b.drawn {
		b.drawn[i] = center
		if bound > 0 {
			b.drawn[i] += bound * (2*rng.Uniform(stream, uint64(i)) - 1)
		}
	}
	p.Tensor = b.s.Keep(b.s.Within(func(s *torchx.Scope) torchx.Tensor {
		t := s.Full(0, torchx.Float64, torchx.CPU, shape...)
		torchx.Write(s, t, b.drawn)
		return s.Clone(s.To(t, u.DType, u.Device, u.Format))
	}))
	u.Params = append(u.Params, p)
	return p.Tensor
}

func (b *builder) timeFrequencies() torchx.Tensor {
	half := b.u.Channels / 2
	f := make([]float64, half)
	for i := range f {
		f[i] = 1000 * math.Exp(-math.Log(10000)*float64(i)/float64(half))
	}
	t := b.s.Full(0, torchx.Float64, torchx.CPU, int64(half))
	torchx.Write(b.s, t, f)
	return b.s.Clone(b.s.To(t, b.u.DType, b.u.Device, torchx.NCHW))
}

func numel(shape []int64) int {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	return n
}

// Input views n frames (n,C,H,W) of float32 bytes as a tensor on the network's
// device and in its memory format; where those are the bytes' own, no copy is made.
func (u *UNet) Input(s *torchx.Scope, data []byte, n, h, w int) torchx.Tensor {
	x := s.FromBytes(data, torchx.Float32, int64(n), int64(u.Fields), int64(h), int64(w))
	return s.To(x, u.DType, u.Device, u.Format)
}
