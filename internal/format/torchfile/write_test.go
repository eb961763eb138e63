package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/gopickle/pytorch"
	"github.com/nlpodyssey/gopickle/types"
)

func floats(values ...float32) Tensor {
	return Tensor{DType: "float32", Shape: []int64{int64(len(values))}, Bytes: func() ([]byte, error) {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		return b, nil
	}}
}

func sample() Dict {
	matrix := floats(1, 2, 3, 4, 5, 6)
	matrix.Shape = []int64{2, 3}
	return Dict{
		{"state", Dict{{"a.weight", matrix}, {"a.bias", floats(-1)}}},
		{"names", List{"velx", "Bx"}},
		{"step", 70000}, {"big", 1 << 40}, {"lr", 1e-3}, {"yes", true}, {"no", false}, {"none", nil}, {"empty", Dict{}},
	}
}

func write(t *testing.T, d Dict) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestGopickleReads: an independent reader of torch's format finds every value.
func TestGopickleReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.pt")
	if err := os.WriteFile(path, write(t, sample()), 0o644); err != nil {
		t.Fatal(err)
	}
	loaded, err := pytorch.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	root := loaded.(*types.Dict)
	state := root.MustGet("state").(*types.Dict)
	w := state.MustGet("a.weight").(*pytorch.Tensor)
	if got := fmt.Sprint(w.Size, w.Stride, w.Source.(*pytorch.FloatStorage).Data); got != "[2 3] [3 1] [1 2 3 4 5 6]" {
		t.Errorf("a.weight is %s", got)
	}
	for key, want := range map[string]string{"step": "70000", "big": "1099511627776", "lr": "0.001", "yes": "true", "no": "false"} {
		if got := fmt.Sprint(root.MustGet(key)); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
}

func TestLayout(t *testing.T) {
	data := write(t, sample())
	if !bytes.Equal(data, write(t, sample())) {
		t.Error("the same dict gave other bytes")
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if offset, err := f.DataOffset(); err != nil || offset%64 != 0 {
			t.Errorf("%s starts at %d, %v: want a multiple of 64", f.Name, offset, err)
		}
		if r, err := f.Open(); err != nil {
			t.Error(err)
		} else if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestErrors(t *testing.T) {
	short := floats(1, 2)
	short.Shape = []int64{3}
	failing := Tensor{DType: "float32", Shape: []int64{1}, Bytes: func() ([]byte, error) { return nil, errors.New("lost the device") }}
	for want, d := range map[string]Dict{
		"a checkpoint holds no []int":           {{"x", []int{1}}},
		"tensor of int8: want float32":          {{"x", Tensor{DType: "int8"}}},
		"tensor of shape [3]: 8 bytes, want 12": {{"x", short}},
		"lost the device":                       {{"x", failing}},
	} {
		if err := Write(&bytes.Buffer{}, d); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestTorchLoads has PyTorch itself load the file, where FMSR_PYTHON names a
// Python that has it.
func TestTorchLoads(t *testing.T) {
	python := os.Getenv("FMSR_PYTHON")
	if python == "" {
		t.Skip("FMSR_PYTHON does not name a Python with PyTorch")
	}
	path := filepath.Join(t.TempDir(), "c.pt")
	if err := os.WriteFile(path, write(t, sample()), 0o644); err != nil {
		t.Fatal(err)
	}
	script := `import sys, torch
c = torch.load(sys.argv[1], weights_only=True)
print(list(c), c["state"]["a.weight"].tolist(), c["state"]["a.weight"].dtype, c["names"], c["step"], c["big"], c["lr"], c["yes"], c["no"])`
	out, err := exec.Command(python, "-c", script, path).CombinedOutput()
	want := "['state', 'names', 'step', 'big', 'lr', 'yes', 'no', 'none', 'empty'] [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]] torch.float32 ['velx', 'Bx'] 70000 1099511627776 0.001 True False\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
	}
}
