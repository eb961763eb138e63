package model

import (
	"math"
	"slices"

	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/torchx"
)

// Param is one parameter of a network, under its name in checkpoints.
type Param struct {
	Name  string
	Shape []int64
	torchx.Tensor
}

// parameters are the config and the parameters of any network. Networks embed them.
type parameters struct {
	config Config
	params []Param
}

// Config returns the network's shape.
func (p *parameters) Config() Config { return p.config }

// Params lists the parameters.
func (p *parameters) Params() []Param { return p.params }

// Free releases the tensors.
func (p *parameters) Free() {
	for _, param := range p.params {
		torchx.Free(param.Tensor)
	}
}

// layer is a weight and a bias: of a convolution, a linear map or a norm. In checkpoints
// they are called name.weight and name.bias.
type layer struct {
	name string
	w, b torchx.Tensor
}

// builder declares a network's parameters, each once and in order, by weights,
// normWeights or param.
type builder struct {
	parameters
	s     *torchx.Scope // nil: parameters are listed, without tensors
	seed  uint64
	drawn []float64 // elements of a parameter, reused: new memory takes longer than the drawing
}

// weights declares a weight of that shape, (out, in, ...), and its bias (out), both
// uniform in +-1/sqrt(fan_in) as in PyTorch, or zero.
func (b *builder) weights(name string, zero bool, shape ...int64) layer {
	fanIn := 1.0
	for _, d := range shape[1:] {
		fanIn *= float64(d)
	}
	bound := 1 / math.Sqrt(fanIn)
	if zero {
		bound = 0
	}
	return layer{name, b.param(name+".weight", 0, bound, shape...), b.param(name+".bias", 0, bound, shape[0])}
}

// normWeights declares a norm's scale and shift, each (c), which start at 1 and 0.
func (b *builder) normWeights(name string, c int64) layer {
	return layer{name, b.param(name+".weight", 1, 0, c), b.param(name+".bias", 0, 0, c)}
}

// param declares a parameter whose elements are uniform in center +- bound, a
// function of the seed and of the parameter's place in the list.
func (b *builder) param(name string, center, bound float64, shape ...int64) torchx.Tensor {
	declared := Param{Name: name, Shape: shape}
	if b.s != nil {
		declared.Tensor = b.draw(center, bound, shape)
	}
	b.params = append(b.params, declared)
	return declared.Tensor
}

func (b *builder) draw(center, bound float64, shape []int64) torchx.Tensor {
	stream := rng.Stream(b.seed, rng.Weights, uint64(len(b.params)))
	b.drawn = slices.Grow(b.drawn[:0], numel(shape))[:numel(shape)]
	for i := range b.drawn {
		b.drawn[i] = center
		if bound > 0 {
			b.drawn[i] += bound * (2*rng.Uniform(stream, uint64(i)) - 1)
		}
	}
	return b.s.Keep(b.s.Within(func(s *torchx.Scope) torchx.Tensor {
		t := s.Full(0, torchx.Float64, torchx.CPU, shape...)
		torchx.Write(s, t, b.drawn)
		return s.Clone(s.To(t, b.config.DType, b.config.Device, b.config.Format))
	}))
}

func numel(shape []int64) int {
	n := 1
	for _, d := range shape {
		n *= int(d)
	}
	return n
}
