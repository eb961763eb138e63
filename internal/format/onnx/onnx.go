// Package onnx writes networks as ONNX models (https://onnx.ai/onnx/repo-docs/IR.html),
// which ONNX Runtime, OpenVINO and others run.
//
//	Graph: Input, Weight, Add ... Output --Write--> ModelProto
//
// Messages are written field by field, and weights are read one at a time while they
// are written.
package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"fmsr.example/fmsr/internal/format/protofield"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// The versions of the format and of its operators: old enough for any runtime of today.
const (
	irVersion = 8
	opset     = 17
	producer  = "fmsr"
)

// Types of tensors and of attributes, as onnx.proto numbers them.
const (
	float32Type = 1
	int64Type   = 7

	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeInts   = 7
)

// Graph is a network in the making. Its methods return names of values, which later
// operators take.
type Graph struct {
	nodes, values []byte // fields of GraphProto
	weights       []weight
	named         map[string]bool // constants that are there
	count         int             // of operators
}

// weight is a constant whose values are read when it is written.
type weight struct {
	header []byte // fields of TensorProto before its values
	bytes  int
	write  func(w io.Writer) error
}

// Attributes are an operator's settings: int, float32, string or []int64 each.
type Attributes map[string]any

// Input declares an input of float32. A dimension is a number or the name of any.
func (g *Graph) Input(name string, dims ...any) string {
	g.values = protofield.AppendBytes(g.values, 11, valueInfo(name, dims))
	return name
}

// Output declares that an operator's value is an output under a name.
func (g *Graph) Output(value, name string, dims ...any) {
	g.node("Identity", name, []string{value}, []string{name}, nil)
	g.values = protofield.AppendBytes(g.values, 12, valueInfo(name, dims))
}

// Weight adds a constant of float32 whose values, in row-major order, are read when the
// model is written.
func (g *Graph) Weight(name string, shape []int64, read func() ([]float32, error)) string {
	count := int64(1)
	for _, d := range shape {
		count *= d
	}
	g.constant(name, float32Type, shape, int(4*count), func(w io.Writer) error {
		values, err := read()
		if err != nil {
			return err
		}
		if int64(len(values)) != count {
			return fmt.Errorf("%s has %d values: want %d, shape %v", name, len(values), count, shape)
		}
		_, err = w.Write(frames.Bytes(values))
		return err
	})
	return name
}

// Floats adds a small constant of float32, once for each name.
func (g *Graph) Floats(name string, shape []int64, values ...float32) string {
	return g.Weight(name, shape, func() ([]float32, error) { return values, nil })
}

// Ints adds a vector of int64, which operators take for shapes and places.
func (g *Graph) Ints(values ...int64) string {
	name := fmt.Sprint("int64", values)
	g.constant(name, int64Type, []int64{int64(len(values))}, 8*len(values), func(w io.Writer) error {
		return binary.Write(w, binary.LittleEndian, values)
	})
	return name
}

func (g *Graph) constant(name string, kind int64, shape []int64, size int, write func(w io.Writer) error) {
	if g.named[name] {
		return
	}
	if g.named == nil {
		g.named = map[string]bool{}
	}
	g.named[name] = true
	var header []byte
	for _, d := range shape {
		header = protofield.AppendInt(header, 1, d)
	}
	header = protofield.AppendInt(header, 2, kind)
	header = protofield.AppendBytes(header, 8, []byte(name))
	g.weights = append(g.weights, weight{header, size, write})
}

// Add adds an operator of one result.
func (g *Graph) Add(operator string, attributes Attributes, inputs ...string) string {
	return g.AddMany(1, operator, attributes, inputs...)[0]
}

// AddMany adds an operator of several results.
func (g *Graph) AddMany(results int, operator string, attributes Attributes, inputs ...string) []string {
	g.count++
	name := fmt.Sprintf("%s_%d", operator, g.count)
	outputs := make([]string, results)
	for i := range outputs {
		outputs[i] = fmt.Sprintf("%s.%d", name, i)
	}
	g.node(operator, name, inputs, outputs, attributes)
	return outputs
}

func (g *Graph) node(operator, name string, inputs, outputs []string, attributes Attributes) {
	var node []byte
	for _, input := range inputs {
		node = protofield.AppendBytes(node, 1, []byte(input))
	}
	for _, output := range outputs {
		node = protofield.AppendBytes(node, 2, []byte(output))
	}
	node = protofield.AppendBytes(node, 3, []byte(name))
	node = protofield.AppendBytes(node, 4, []byte(operator))
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		node = protofield.AppendBytes(node, 5, attribute(key, attributes[key]))
	}
	g.nodes = protofield.AppendBytes(g.nodes, 1, node)
}

func attribute(name string, value any) []byte {
	a := protofield.AppendBytes(nil, 1, []byte(name))
	kind := int64(0)
	switch v := value.(type) {
	case float32:
		a, kind = protofield.AppendFloat(a, 2, v), attributeFloat
	case int:
		a, kind = protofield.AppendInt(a, 3, int64(v)), attributeInt
	case string:
		a, kind = protofield.AppendBytes(a, 4, []byte(v)), attributeString
	case []int64:
		for _, i := range v {
			a = protofield.AppendInt(a, 8, i)
		}
		kind = attributeInts
	default:
		panic(fmt.Sprintf("onnx: attribute %s is a %T", name, value))
	}
	return protofield.AppendInt(a, 20, kind)
}

func valueInfo(name string, dims []any) []byte {
	var shape []byte
	for _, d := range dims {
		var dim []byte
		switch d := d.(type) {
		case int:
			dim = protofield.AppendInt(nil, 1, int64(d))
		case string:
			dim = protofield.AppendBytes(nil, 2, []byte(d))
		}
		shape = protofield.AppendBytes(shape, 1, dim)
	}
	tensor := protofield.AppendBytes(protofield.AppendInt(nil, 1, float32Type), 2, shape)
	return protofield.AppendBytes(protofield.AppendBytes(nil, 1, []byte(name)), 2, protofield.AppendBytes(nil, 1, tensor))
}

// Write writes the model, with metadata for whoever applies it. A model of 2 GB or more is
// an error: no message of protobuf is longer.
func (g *Graph) Write(w io.Writer, name string, metadata map[string]string) error {
	head := protofield.AppendInt(nil, 1, irVersion)
	head = protofield.AppendBytes(head, 2, []byte(producer))
	head = protofield.AppendBytes(head, 8, protofield.AppendInt(nil, 2, opset))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		entry := protofield.AppendBytes(nil, 1, []byte(key))
		head = protofield.AppendBytes(head, 14, protofield.AppendBytes(entry, 2, []byte(metadata[key])))
	}
	graph := protofield.AppendBytes(bytes.Clone(g.nodes), 2, []byte(name))
	graph = append(graph, g.values...)
	size := len(graph)
	for _, weight := range g.weights {
		size += protowire.SizeTag(5) + protowire.SizeBytes(weight.size())
	}
	if size+len(head) > math.MaxInt32-16 {
		return fmt.Errorf("the model has %d bytes: ONNX files have at most 2 GB", size)
	}
	head = protowire.AppendVarint(protowire.AppendTag(head, 7, protowire.BytesType), uint64(size))
	if _, err := w.Write(append(head, graph...)); err != nil {
		return err
	}
	for _, weight := range g.weights {
		if err := weight.writeTo(w); err != nil {
			return err
		}
	}
	return nil
}

// size returns the length of the weight's message.
func (t weight) size() int {
	return len(t.header) + protowire.SizeTag(9) + protowire.SizeBytes(t.bytes)
}

func (t weight) writeTo(w io.Writer) error {
	head := protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.BytesType), uint64(t.size()))
	head = append(head, t.header...)
	head = protowire.AppendVarint(protowire.AppendTag(head, 9, protowire.BytesType), uint64(t.bytes))
	if _, err := w.Write(head); err != nil {
		return err
	}
	return t.write(w)
}

// Is reports whether a file is a model that fmsr wrote.
func Is(path string) bool {
	f, err := infile.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := protofield.AppendBytes(protofield.AppendInt(nil, 1, irVersion), 2, []byte(producer))
	head := make([]byte, len(start))
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, start)
}
