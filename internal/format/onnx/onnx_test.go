package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"fmsr.example/fmsr/internal/format/protofield"
)

// TestWrite: the lengths of the messages are those of what is in them, weights are
// written once, as they were given, and the file is known again.
func TestWrite(t *testing.T) {
	g := &Graph{}
	x := g.Input("x", "N", 3)
	w := g.Weight("w", []int64{3}, func() ([]float32, error) { return []float32{1, 2, 0.5}, nil })
	g.Ints(4)
	g.Ints(4)
	g.Output(g.Add("Mul", Attributes{"axis": 1, "mode": "m", "f": float32(2), "pads": []int64{1, -1}}, x, w), "y", "N", 3)
	var out bytes.Buffer
	if err := g.Write(&out, "net", map[string]string{"step": "3"}); err != nil {
		t.Fatal(err)
	}
	count := func(message []byte) map[protofield.Number]int {
		fields := map[protofield.Number]int{}
		for len(message) > 0 {
			field, kind, n := protowire.ConsumeTag(message)
			if n < 0 {
				t.Fatal("damaged")
			}
			m := protowire.ConsumeFieldValue(field, kind, message[n:])
			if m < 0 {
				t.Fatalf("field %d is damaged", field)
			}
			message = message[n+m:]
			fields[field]++
		}
		return fields
	}
	model := out.Bytes()
	if f := count(model); f[7] != 1 || f[8] != 1 || f[14] != 1 {
		t.Errorf("the model has fields %v", f)
	}
	graph := protofield.Bytes(model, 7)
	if f := count(graph); f[1] != 2 || f[5] != 2 || f[11] != 1 || f[12] != 1 {
		t.Errorf("the graph has fields %v", f)
	}
	tensor := protofield.Bytes(graph, 5)
	if got := protofield.Bytes(tensor, 9); !bytes.Equal(got, []byte{0, 0, 128, 63, 0, 0, 0, 64, 0, 0, 0, 63}) {
		t.Errorf("the weight is % x", got)
	}
	path := filepath.Join(t.TempDir(), "a.onnx")
	for _, c := range []struct {
		bytes []byte
		want  bool
	}{{model, true}, {model[:3], false}, {[]byte("notes of mine"), false}} {
		if err := os.WriteFile(path, c.bytes, 0o644); err != nil {
			t.Fatal(err)
		}
		if Is(path) != c.want {
			t.Errorf("Is(%q...) is %v", c.bytes[:3], !c.want)
		}
	}
}

// TestWeightOfOtherSize: a weight with too few values is an error that names it.
func TestWeightOfOtherSize(t *testing.T) {
	g := &Graph{}
	g.Weight("w", []int64{3}, func() ([]float32, error) { return make([]float32, 2), nil })
	if err := g.Write(&bytes.Buffer{}, "net", nil); err == nil || err.Error() != "w has 2 values: want 3, shape [3]" {
		t.Error(err)
	}
}
