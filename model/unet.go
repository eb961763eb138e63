package model

import (
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/torchx"
)

// The rest of the ADM layout, which fmsr does not vary.
const (
	resBlocks   = 2  // residual blocks in a level on the way down; one more on the way up
	attentionAt = 4  // downsampling factor of the level that attends, besides the middle
	headWidth   = 64 // channels of an attention head, where the level is that wide
	normGroups  = 32
	normEps     = 1e-5
)

// DefaultMult are the published channel multipliers.
var DefaultMult = []int{1, 2, 2, 2}

// UNet is the network of the flow velocity, dx/dt of sampling: v = UNet(cat(xt, x_lo), t), the ADM layout of
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
	parameters

	freqs  torchx.Tensor // (model_channels/2) angular frequencies of the time features
	embed  [2]layer
	span   [2]layer // with Spans
	stem   layer
	input  [][]block
	middle []block
	output [][]block
	norm   layer
	head   layer
}

// block is a part of input_blocks, middle_block and output_blocks. forward maps x
// (N,in,h,w) and the time embedding emb (N,4m) to (N,out,h',w').
type block interface {
	forward(s *torchx.Scope, u *UNet, x, emb torchx.Tensor) torchx.Tensor
	// onnx adds the same to an ONNX graph.
	onnx(e *exporter, x, emb string) string
}

// declareUNet makes a UNet with PyTorch's default initialization, zero where ADM
// starts at zero.
func declareUNet(b *builder) Net {
	u := &UNet{parameters: b.parameters}
	u.build(b)
	u.params = b.params
	if b.s != nil {
		u.freqs = b.s.Keep(u.timeFrequencies(b.s))
	}
	return u
}

// recognizeUNet finds widths and levels from the tensors' shapes: the stem's output is
// the first level's width, the time embedding's input is model_channels, and the second
// residual block of each level has the level's width.
func recognizeUNet(shape func(name string) []int64) (Config, error) {
	dim := func(name string, d int) int {
		if dims := shape(name); d < len(dims) {
			return int(dims[d])
		}
		return 0
	}
	c := Config{Fields: dim("out.2.weight", 0), Channels: dim("time_embed.0.weight", 1), Spans: shape(spanEmbed+".0.weight") != nil}
	if c.Fields == 0 || c.Channels == 0 {
		return c, fmt.Errorf("model_state_dict is not of this network: want ADM's names, time_embed.0.weight and out.2.weight among them")
	}
	for block := 1; ; block += resBlocks + 1 {
		width := dim(fmt.Sprintf("input_blocks.%d.0.out_layers.3.weight", block), 0)
		if width == 0 {
			return c, nil
		}
		c.Mult = append(c.Mult, width/c.Channels)
	}
}

// mostLevels bounds the levels: each halves the grid, and no grid is halved more often.
const mostLevels = 16

func validateUNet(c Config) error {
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

// Free releases the weights and the time features' frequencies.
func (u *UNet) Free() {
	u.parameters.Free()
	torchx.Free(u.freqs)
}

// Multiple returns how much coarser the deepest level is.
func (u *UNet) Multiple() int { return 1 << (len(u.config.Mult) - 1) }

// Forward returns the velocity (N,C,H,W) at x = cat(xt, x_lo) (N,2C,H,W) and times
// t (N) in [0,1]. For times (N,M) it averages the M embeddings, which gives the mean
// of the M velocities to first order in FiLM's scales and shifts. With Spans, times are t and
// s (N,2).
func (u *UNet) Forward(s *torchx.Scope, x, t torchx.Tensor) torchx.Tensor {
	return s.Within(func(s *torchx.Scope) torchx.Tensor {
		emb := u.timeEmbedding(s, t)
		h := s.Conv2d(x, u.stem.w, u.stem.b, u.config.Periodic)
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
		h = s.NormSiLU(h, groups(int64(u.config.Channels*u.config.Mult[0])), u.norm.w, u.norm.b, normEps, torchx.Tensor{})
		return s.Conv2d(h, u.head.w, u.head.b, u.config.Periodic)
	})
}

// run applies blocks one after the other to h (N,C,h,w) and emb (N,4m).
func (u *UNet) run(s *torchx.Scope, blocks []block, h, emb torchx.Tensor) torchx.Tensor {
	for _, b := range blocks {
		h = s.Within(func(s *torchx.Scope) torchx.Tensor { return b.forward(s, u, h, emb) })
	}
	return h
}

// TimeFeatures returns [cos(1000 t f), sin(1000 t f)], (N, model_channels) for times
// (N), in the type of t: at least float32, since the angles reach 1000 rad.
func (u *UNet) TimeFeatures(s *torchx.Scope, t torchx.Tensor) torchx.Tensor {
	angle := s.Mul(s.Reshape(t, -1, 1), u.freqs)
	return s.Cat(1, s.Cos(angle), s.Sin(angle))
}

// timeEmbedding returns Linear-SiLU-Linear of the features and then the SiLU with
// which every ResBlock would start, (N, 4 model_channels) for times (N) or (N,M). With Spans,
// the embedding of s-t is added before the SiLU.
func (u *UNet) timeEmbedding(s *torchx.Scope, t torchx.Tensor) torchx.Tensor {
	if u.config.Spans {
		from, to := s.Narrow(t, 1, 0, 1), s.Narrow(t, 1, 1, 1)
		return s.SiLU(s.Add(u.timeMLP(s, u.embed, from), u.timeMLP(s, u.span, s.AddScaled(to, from, -1))))
	}
	emb := s.SiLU(u.timeMLP(s, u.embed, t))
	if shape := t.Shape(); len(shape) == 2 {
		emb = s.Mean(s.Reshape(emb, shape[0], shape[1], -1), 1)
	}
	return emb
}

func (u *UNet) timeMLP(s *torchx.Scope, embed [2]layer, t torchx.Tensor) torchx.Tensor {
	h := s.Linear(u.TimeFeatures(s, t), embed[0].w, embed[0].b)
	return s.Linear(s.SiLU(h), embed[1].w, embed[1].b)
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

// forward maps x (N,in,h,w) and emb (N,4m) to (N,out,h',w'), where h' = h, h/2 or 2h.
func (r *resBlock) forward(s *torchx.Scope, u *UNet, x, emb torchx.Tensor) torchx.Tensor {
	h := s.NormSiLU(x, groups(r.in), r.norm1.w, r.norm1.b, normEps, torchx.Tensor{})
	h = r.resample.apply(s, h)
	x = r.resample.apply(s, x)
	h = s.Conv2d(h, r.conv1.w, r.conv1.b, u.config.Periodic)
	film := s.Linear(emb, r.film.w, r.film.b)
	h = s.NormSiLU(h, groups(r.out), r.norm2.w, r.norm2.b, normEps, film)
	if !torchx.IsNil(r.skip.w) {
		x = s.Conv2d(x, r.skip.w, r.skip.b, false)
	}
	return s.Watch(s.AddConv2d(x, h, r.conv2.w, r.conv2.b, u.config.Periodic)) // a step of the full network takes a minute on a CPU
}

// attention is self-attention over all positions. The rows of qkv are q, k, v, each
// by head. The weights of qkv and proj_out are (out,in,1), as of 1-d convolutions.
type attention struct {
	channels           int64
	norm, qkv, projOut layer
}

// forward maps x (N,C,h,w) to the same shape.
func (a *attention) forward(s *torchx.Scope, _ *UNet, x, _ torchx.Tensor) torchx.Tensor {
	c := a.channels
	qkv := s.GroupNorm(x, groups(c), a.norm.w, a.norm.b, normEps)
	qkv = s.Conv2d(qkv, s.Reshape(a.qkv.w, 3*c, c, 1, 1), a.qkv.b, false)
	h := s.SelfAttention(qkv, c/min(headWidth, c))
	return s.AddConv2d(x, h, s.Reshape(a.projOut.w, c, c, 1, 1), a.projOut.b, false)
}

// groups returns the number of norm groups for a width: gcd(32, channels).
func groups(channels int64) int64 {
	a, b := channels, int64(normGroups)
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// build declares the parameters in ADM's order as it makes the blocks.
func (u *UNet) build(b *builder) {
	m := int64(u.config.Channels)
	e := 4 * m
	u.embed[0] = b.weights("time_embed.0", false, e, m)
	u.embed[1] = b.weights("time_embed.2", false, e, e)

	ch := m * int64(u.config.Mult[0])
	u.stem = b.weights("input_blocks.0.0", false, ch, int64(2*u.config.Fields), 3, 3)
	skips := []int64{ch}
	ds := 1
	input := func(blocks func(prefix string) []block) {
		u.input = append(u.input, blocks(fmt.Sprintf("input_blocks.%d.", len(u.input)+1)))
		skips = append(skips, ch)
	}
	for level, mult := range u.config.Mult {
		for range resBlocks {
			input(func(p string) []block {
				blocks := []block{u.res(b, p+"0.", ch, m*int64(mult), same)}
				ch = m * int64(mult)
				if ds == attentionAt {
					blocks = append(blocks, u.attention(b, p+"1.", ch))
				}
				return blocks
			})
		}
		if level+1 < len(u.config.Mult) {
			input(func(p string) []block { return []block{u.res(b, p+"0.", ch, ch, down)} })
			ds *= 2
		}
	}

	u.middle = []block{u.res(b, "middle_block.0.", ch, ch, same), u.attention(b, "middle_block.1.", ch), u.res(b, "middle_block.2.", ch, ch, same)}

	for level := len(u.config.Mult) - 1; level >= 0; level-- {
		for i := range resBlocks + 1 {
			p := fmt.Sprintf("output_blocks.%d.", len(u.output))
			last := len(skips) - 1
			width := m * int64(u.config.Mult[level])
			blocks := []block{u.res(b, p+"0.", ch+skips[last], width, same)}
			skips, ch = skips[:last], width
			if ds == attentionAt {
				blocks = append(blocks, u.attention(b, p+"1.", ch))
			}
			if level > 0 && i == resBlocks {
				blocks = append(blocks, u.res(b, fmt.Sprintf("%s%d.", p, len(blocks)), ch, ch, up))
				ds /= 2
			}
			u.output = append(u.output, blocks)
		}
	}

	u.norm = b.normWeights("out.0", ch)
	u.head = b.weights("out.2", true, int64(u.config.Fields), ch, 3, 3)

	if u.config.Spans { // last, so that the others are a teacher's; zero, so that u starts as its v
		u.span[0] = b.weights(spanEmbed+".0", false, e, m)
		u.span[1] = b.weights(spanEmbed+".2", true, e, e)
	}
}

// spanEmbed is the name of the second time's embedding, as time_embed is the first one's.
const spanEmbed = "span_embed"

func (u *UNet) res(b *builder, p string, in, out int64, r resample) *resBlock {
	block := &resBlock{in: in, out: out, resample: r}
	block.norm1 = b.normWeights(p+"in_layers.0", in)
	block.conv1 = b.weights(p+"in_layers.2", false, out, in, 3, 3)
	block.film = b.weights(p+"emb_layers.1", false, 2*out, 4*int64(u.config.Channels))
	block.norm2 = b.normWeights(p+"out_layers.0", out)
	block.conv2 = b.weights(p+"out_layers.3", true, out, out, 3, 3)
	if in != out {
		block.skip = b.weights(p+"skip_connection", false, out, in, 1, 1)
	}
	return block
}

func (u *UNet) attention(b *builder, p string, c int64) *attention {
	return &attention{
		channels: c,
		norm:     b.normWeights(p+"norm", c),
		qkv:      b.weights(p+"qkv", false, 3*c, c, 1),
		projOut:  b.weights(p+"proj_out", true, c, c, 1),
	}
}

func (u *UNet) timeFrequencies(s *torchx.Scope) torchx.Tensor {
	f := u.frequencies()
	t := s.Full(0, torchx.Float64, torchx.CPU, int64(len(f)))
	torchx.Write(s, t, f)
	return s.Clone(s.To(t, u.config.DType, u.config.Device, torchx.NCHW))
}

// frequencies returns 1000 f of the time features, in radians.
func (u *UNet) frequencies() []float64 {
	half := u.config.Channels / 2
	f := make([]float64, half)
	for i := range f {
		f[i] = 1000 * math.Exp(-math.Log(10000)*float64(i)/float64(half))
	}
	return f
}
