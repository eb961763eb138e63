package model

import (
	"fmt"
	"io"
	"math"

	"fmsr.example/fmsr/internal/format/onnx"
)

// WriteONNX writes the network with weights of the checkpoint as an ONNX model of
// float32: velocity = Net(cat(xt, x_lo), t).
//
//	xt, x_lo (N,C,H,W), t (N) --> velocity (N,C,H,W)
//
// N, H and W are any; H and W are multiples of Multiple. Everything is normalized. A flow map
// takes s (N) too.
func (l *Loaded) WriteONNX(w io.Writer, weights []Weight, metadata map[string]string) error {
	u, ok := l.Plan.(*UNet)
	if !ok {
		return fmt.Errorf("the network %q has no ONNX form: want unet", l.Config.Network)
	}
	e := &exporter{Graph: &onnx.Graph{}, weights: make(map[string]Weight, len(weights)), periodic: u.config.Periodic}
	for _, weight := range weights {
		e.weights[weight.Name] = weight
	}
	dims := []any{"N", u.config.Fields, "H", "W"}
	xt, xlo, t := e.Input("xt", dims...), e.Input("x_lo", dims...), e.Input("t", "N")
	s := ""
	if u.config.Spans {
		s = e.Input("s", "N")
	}
	e.Output(u.onnx(e, e.Add("Concat", onnx.Attributes{"axis": 1}, xt, xlo), t, s), "velocity", dims...)
	return e.Write(w, "velocity", metadata)
}

// exporter is a graph in the making, and the weights for it. Its methods mirror those of
// torchx.Scope that the network calls.
type exporter struct {
	*onnx.Graph
	weights  map[string]Weight
	periodic bool
}

// onnx adds what Forward computes for x, t (N) and, with Spans, s (N), and returns the
// velocity's name.
func (u *UNet) onnx(e *exporter, x, t, s string) string {
	emb := u.timeONNX(e, u.embed, t)
	if u.config.Spans {
		emb = e.Add("Add", nil, emb, u.timeONNX(e, u.span, e.Add("Sub", nil, s, t)))
	}
	emb = e.silu(emb)

	run := func(blocks []block, h string) string {
		for _, b := range blocks {
			h = b.onnx(e, h, emb)
		}
		return h
	}
	h := e.conv(x, u.stem, e.periodic)
	skips := []string{h}
	for _, blocks := range u.input {
		h = run(blocks, h)
		skips = append(skips, h)
	}
	h = run(u.middle, h)
	for _, blocks := range u.output {
		last := len(skips) - 1
		h = run(blocks, e.Add("Concat", onnx.Attributes{"axis": 1}, h, skips[last]))
		skips = skips[:last]
	}
	h = e.silu(e.norm(h, int64(u.config.Channels*u.config.Mult[0]), u.norm))
	return e.conv(h, u.head, e.periodic)
}

// timeONNX adds what timeMLP computes for t (N).
func (u *UNet) timeONNX(e *exporter, embed [2]layer, t string) string {
	freqs := make([]float32, 0, u.config.Channels/2)
	for _, f := range u.frequencies() {
		freqs = append(freqs, float32(f))
	}
	angle := e.Add("Mul", nil, e.Add("Unsqueeze", nil, t, e.Ints(1)), e.Floats("frequencies", []int64{1, int64(len(freqs))}, freqs...))
	features := e.Add("Concat", onnx.Attributes{"axis": 1}, e.Add("Cos", nil, angle), e.Add("Sin", nil, angle))
	return e.linear(e.silu(e.linear(features, embed[0])), embed[1])
}

func (r *resBlock) onnx(e *exporter, x, emb string) string {
	h := e.silu(e.norm(x, r.in, r.norm1))
	h, x = e.resample(h, r.resample), e.resample(x, r.resample)
	h = e.conv(h, r.conv1, e.periodic)
	film := e.Add("Unsqueeze", nil, e.linear(emb, r.film), e.Ints(2, 3))
	halves := e.AddMany(2, "Split", onnx.Attributes{"axis": 1}, film)
	scale := e.Add("Add", nil, halves[0], e.Floats("one", nil, 1))
	h = e.Add("Add", nil, e.Add("Mul", nil, e.norm(h, r.out, r.norm2), scale), halves[1])
	h = e.conv(e.silu(h), r.conv2, e.periodic)
	if r.in != r.out {
		x = e.conv(x, r.skip, false)
	}
	return e.Add("Add", nil, x, h)
}

func (a *attention) onnx(e *exporter, x, _ string) string {
	heads := a.channels / min(headWidth, a.channels)
	width := a.channels / heads
	qkv := e.conv(e.norm(x, a.channels, a.norm), a.qkv, false)
	parts := e.AddMany(3, "Split", onnx.Attributes{"axis": 1}, qkv)
	for i, part := range parts { // (N, heads, d, H W)
		parts[i] = e.Add("Reshape", nil, part, e.Ints(0, heads, width, -1))
	}
	transposed := onnx.Attributes{"perm": []int64{0, 1, 3, 2}}
	q := e.Add("Mul", nil, e.Add("Transpose", transposed, parts[0]), e.Floats(fmt.Sprint("scale", width), nil, float32(1/math.Sqrt(float64(width)))))
	weights := e.Add("Softmax", onnx.Attributes{"axis": -1}, e.Add("MatMul", nil, q, parts[1]))
	h := e.Add("MatMul", nil, parts[2], e.Add("Transpose", transposed, weights))
	h = e.Add("Reshape", nil, h, e.Add("Shape", nil, x))
	return e.Add("Add", nil, x, e.conv(h, a.projOut, false))
}

// param adds a layer's weight or bias in a shape of the same values.
func (e *exporter) param(name string, shape ...int64) string {
	weight := e.weights[name]
	return e.Weight(name, shape, weight.Read)
}

// linear returns x w' + b for x (N,in).
func (e *exporter) linear(x string, l layer) string {
	w := e.param(l.name+".weight", e.weights[l.name+".weight"].Shape...)
	return e.Add("Gemm", onnx.Attributes{"transB": 1}, x, w, e.param(l.name+".bias", e.weights[l.name+".bias"].Shape...))
}

// conv convolves x with a layer's square kernel. A kernel of 3 x 3 sees one cell beyond
// each edge: of the other side, or zeros. That of an attention, (out,in,1), is 1 x 1.
func (e *exporter) conv(x string, l layer, periodic bool) string {
	shape := e.weights[l.name+".weight"].Shape
	if len(shape) == 3 {
		shape = append(shape[:2:2], 1, 1)
	}
	pad := shape[3] / 2
	if periodic && pad > 0 {
		x, pad = e.wrap(e.wrap(x, 2), 3), 0
	}
	return e.Add("Conv", onnx.Attributes{"pads": []int64{pad, pad, pad, pad}}, x, e.param(l.name+".weight", shape...), e.param(l.name+".bias", shape[0]))
}

// wrap puts the last cell along an axis before the first, and the first behind the last.
// OpenVINO lacks Pad's mode for that.
func (e *exporter) wrap(x string, axis int64) string {
	cell := func(from, to int64) string { return e.Add("Slice", nil, x, e.Ints(from), e.Ints(to), e.Ints(axis)) }
	return e.Add("Concat", onnx.Attributes{"axis": int(axis)}, cell(-1, math.MaxInt64), x, cell(0, 1))
}

// norm returns GroupNorm of x (N,C,H,W), by an InstanceNormalization of its groups.
func (e *exporter) norm(x string, channels int64, l layer) string {
	n := groups(channels)
	each := func(name string, value float32) string {
		values := make([]float32, n)
		for i := range values {
			values[i] = value
		}
		return e.Floats(fmt.Sprint(name, n), []int64{n}, values...)
	}
	h := e.Add("Reshape", nil, x, e.Ints(0, n, -1))
	h = e.Add("InstanceNormalization", onnx.Attributes{"epsilon": float32(normEps)}, h, each("ones", 1), each("zeros", 0))
	h = e.Add("Reshape", nil, h, e.Add("Shape", nil, x))
	h = e.Add("Mul", nil, h, e.param(l.name+".weight", channels, 1, 1))
	return e.Add("Add", nil, h, e.param(l.name+".bias", channels, 1, 1))
}

func (e *exporter) silu(x string) string { return e.Add("Mul", nil, x, e.Add("Sigmoid", nil, x)) }

func (e *exporter) resample(x string, r resample) string {
	switch r {
	case down:
		return e.Add("AveragePool", onnx.Attributes{"kernel_shape": []int64{2, 2}, "strides": []int64{2, 2}}, x)
	case up:
		return e.Add("Resize", onnx.Attributes{"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"},
			x, "", e.Floats("twice", []int64{4}, 1, 1, 2, 2))
	default:
		return x
	}
}
