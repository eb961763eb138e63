package dataset

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/rng"
)

// doubles writes a float64 npy file (F,H,W,C) of these values.
func doubles(t *testing.T, path string, shape [4]int, value func(frame, cell, c int) float64) {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d, %d, %d), }", shape[0], shape[1], shape[2], shape[3])
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	data = append(data, header...)
	for f := range shape[0] {
		for cell := range shape[1] * shape[2] {
			for c := range shape[3] {
				data = binary.LittleEndian.AppendUint64(data, math.Float64bits(value(f, cell, c)))
			}
		}
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDigits: a float64 field that float32 cannot hold is refused by name. Constant fields,
// fields that only begin constant, and fields of any unit pass.
func TestDigits(t *testing.T) {
	waves := func(mean, size float64) func(frame, cell int) float64 {
		return func(frame, cell int) float64 { return mean + size*rng.Normal(1, uint64(frame*1000+cell)) }
	}
	for name, c := range map[string]struct {
		field func(frame, cell int) float64
		want  string // of the error
	}{
		"contrast":    {waves(1, 1e-3), ""},
		"tiny":        {waves(1, 2e-8), "keep 0.1 digits"},
		"pressure":    {waves(1e5, 1e-2), "float64 values of 100000 +- 0.01"},
		"becomes one": {waves(1e7, 1e-1), "field p: float64 values of 1e+07 +- 0.1"},
		"lost":        {waves(1, 1e-9), "keep 0.0 digits"},
		"zero":        {waves(0, 0), ""},
		"constant":    {waves(0.1, 0), ""},
		"rounding":    {waves(1, 1e-16), ""},
		"grows":       {func(frame, cell int) float64 { return waves(1, math.Pow(10, float64(5*frame-8)))(frame, cell) }, ""},
		"cgs":         {waves(1e-24, 1e-25), ""},
		"underflow":   {waves(1e-60, 1e-61), "keep 0.0 digits"},
	} {
		path := filepath.Join(t.TempDir(), "a.npy")
		doubles(t, path, [4]int{2, 8, 8, 2}, func(frame, cell, k int) float64 {
			if k == 0 {
				return rng.Normal(2, uint64(cell))
			}
			return c.field(frame, cell)
		})
		run := Run{Fields: []string{"u", "p"}}
		if _, err := run.Measure(&Seed{Files: Files{Path: path}}); err != nil || run.Lossy.Check([]string{"u"}) != nil {
			t.Errorf("%s: %v, %v", name, err, run.Lossy)
		}
		err := run.Lossy.Check(run.Fields)
		if (c.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "field p") || !strings.HasPrefix(err.Error(), path)) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}
