package model

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"fmsr.example/fmsr/internal/format/protofield"
)

// TestONNX: each operator takes values that are there, and each parameter of the network
// is a constant that an operator takes. What the model computes, interop/onnx_model.py
// compares with PyTorch.
func TestONNX(t *testing.T) {
	plan, err := Plan(Config{Fields: 2, Channels: 8, Mult: []int{1, 2, 2}, Periodic: true})
	if err != nil {
		t.Fatal(err)
	}
	var weights []Weight
	for _, p := range plan.Params() {
		weights = append(weights, Weight{p.Name, p.Shape, func() ([]float32, error) { return make([]float32, numel(p.Shape)), nil }})
	}
	var out bytes.Buffer
	if err := (&Loaded{Plan: plan}).WriteONNX(&out, weights, nil); err != nil {
		t.Fatal(err)
	}
	graph := protofield.Bytes(out.Bytes(), 7)
	there, taken := map[string]bool{"xt": true, "x_lo": true, "t": true, "": true}, map[string]bool{}
	for _, tensor := range all(t, graph, 5) {
		there[string(protofield.Bytes(tensor, 8))] = true
	}
	for _, node := range all(t, graph, 1) {
		for _, input := range all(t, node, 1) {
			if !there[string(input)] {
				t.Fatalf("%s takes %q, which is not there", protofield.Bytes(node, 3), input)
			}
			taken[string(input)] = true
		}
		for _, output := range all(t, node, 2) {
			there[string(output)] = true
		}
	}
	for _, w := range weights {
		if !taken[w.Name] {
			t.Errorf("%s is not taken", w.Name)
		}
	}
	if !there["velocity"] {
		t.Error("there is no velocity")
	}
}

// all returns the values of a message's field of bytes.
func all(t *testing.T, message []byte, field protofield.Number) (values [][]byte) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal("damaged")
		}
		message = message[n:]
		m := protowire.ConsumeFieldValue(number, kind, message)
		if m < 0 {
			t.Fatal("damaged")
		}
		if number == field {
			value, _ := protowire.ConsumeBytes(message)
			values = append(values, value)
		}
		message = message[m:]
	}
	return values
}
