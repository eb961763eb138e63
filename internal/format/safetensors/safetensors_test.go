package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

func tensor(name string, shape []int64, values ...float32) Tensor {
	return Tensor{Name: name, Shape: shape, Read: func() ([]float32, error) { return values, nil }}
}

// TestLayout reads a file back as the format's description says.
func TestLayout(t *testing.T) {
	var b bytes.Buffer
	tensors := []Tensor{tensor("z.weight", []int64{2, 3}, 1, 2, 3, 4, 5, 6), tensor("scalar", nil, -1), tensor("a.bias", []int64{2}, 7, 8)}
	if err := Write(&b, tensors, map[string]string{"step": "3"}); err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(b.Bytes())
	if n%8 != 0 {
		t.Errorf("the header has %d bytes: want a multiple of 8", n)
	}
	var header map[string]struct {
		DType   string
		Shape   []int64
		Offsets []int `json:"data_offsets"`
		Step    string
	}
	if err := json.Unmarshal(b.Bytes()[8:8+n], &header); err != nil {
		t.Fatal(err)
	}
	data := b.Bytes()[8+n:]
	if len(data) != 4*9 || len(header) != 4 || header["__metadata__"].Step != "3" {
		t.Errorf("%d bytes of data, header %v", len(data), header)
	}
	for name, want := range map[string]string{"z.weight": "F32 [2 3] [1 2 3 4 5 6]", "scalar": "F32 [] [-1]", "a.bias": "F32 [2] [7 8]"} {
		e := header[name]
		var values []float32
		for at := e.Offsets[0]; at < e.Offsets[1]; at += 4 {
			values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(data[at:])))
		}
		if got := fmt.Sprint(e.DType, " ", e.Shape, " ", values); got != want || e.Shape == nil {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

func TestErrors(t *testing.T) {
	damaged := Tensor{Name: "w", Shape: []int64{1}, Read: func() ([]float32, error) { return nil, errors.New("checksum") }}
	for want, tensors := range map[string][]Tensor{
		"tensor w: checksum":                      {damaged},
		"tensor w of shape [3]: 2 values, want 3": {tensor("w", []int64{3}, 1, 2)},
		"tensor w: the name is taken":             {tensor("w", nil, 1), tensor("w", nil, 1)},
		"tensor __metadata__: the name is taken":  {tensor("__metadata__", nil, 1)},
	} {
		if err := Write(io.Discard, tensors, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// FuzzHeader: a header is read as it was written, and other bytes are refused without panic.
func FuzzHeader(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, []Tensor{tensor("z", []int64{2, 3}, 1, 2, 3, 4, 5, 6), tensor("a", []int64{2}, 7, 8)}, map[string]string{"step": "3"}); err != nil {
		f.Fatal(err)
	}
	h, err := parse(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if got := fmt.Sprint(h, err); got != "{[{z F32 [2 3]} {a F32 [2]}] map[step:3]} <nil>" {
		f.Errorf("read back: %s", got)
	}
	if _, err := parse(bytes.NewReader(b.Bytes()), int64(b.Len()-1)); err == nil || !strings.Contains(err.Error(), "tensor a: bytes 24 to 32 are not in the file") {
		f.Errorf("truncated: %v", err)
	}
	for _, seed := range []string{b.String(), "\xff\xff\xff\xff\xff\xff\xff\xff{}", "\x02\x00\x00\x00\x00\x00\x00\x00{}", "\x0c\x00\x00\x00\x00\x00\x00\x00{\"a\": [1,2]}", "short"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parse(bytes.NewReader(data), int64(len(data)))
		if err == nil && len(h.Tensors) > len(data) {
			t.Errorf("%d tensors in %d bytes", len(h.Tensors), len(data))
		}
	})
}
