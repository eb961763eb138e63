package exportset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/seal"
)

// export makes a set of one file of three frames that says it has as many rows.
func export(t *testing.T, format string, rows int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	path := filepath.Join(dir, "seed_0000."+format)
	values := make([]float32, 3*16)
	if format == "npy" {
		if err := npy.WriteFile(path, []int{3, 1, 4, 4}, values); err != nil {
			t.Fatal(err)
		}
	} else {
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		w, err := arrowtensor.NewWriter(format, out, arrowtensor.Schema([]string{"a"}, 4, 4, "x_hi"))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(make([]frames.Origin, 3), memory.NewBufferBytes(frames.Bytes(values))); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	m := Manifest{Format: format, ChannelNames: []string{"a"}, H: 4, W: 4, Mean: []float64{0.5}, Std: []float64{2}, Files: []File{{
		File: parts.File{Path: filepath.Base(path), Rows: rows, Bytes: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}, Split: "train",
	}}}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), seal.Object(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func verify(dir string) error {
	_, err := Verify(context.Background(), filepath.Join(dir, ManifestName), map[parts.File]bool{})
	return err
}

// TestVerify: a set is whole in each format, and no byte of it, of 200 spread over
// each file, can change: what is wrong is said of the file.
func TestVerify(t *testing.T) {
	for _, format := range []string{"arrow", "parquet", "npy"} {
		dir := export(t, format, 3)
		if err := verify(dir); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{ManifestName, "seed_0000." + format} {
			path := filepath.Join(dir, name)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 200 {
				bad := bytes.Clone(good)
				bad[i*len(good)/200] ^= 1 << (i % 8)
				if err := os.WriteFile(path, bad, 0o644); err != nil {
					t.Fatal(err)
				}
				if err := verify(dir); err == nil || !strings.Contains(err.Error(), path) {
					t.Errorf("%s: byte %d flipped: %v", name, i*len(good)/200, err)
				}
			}
			if err := os.WriteFile(path, good, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := verify(export(t, format, 4)); err == nil || !strings.Contains(err.Error(), "seed_0000."+format+": 3 rows, and ") {
			t.Errorf("rows that are not there: %v", err)
		}
		if err := os.Truncate(filepath.Join(dir, "seed_0000."+format), 100); err != nil {
			t.Fatal(err)
		}
		if err := verify(dir); err == nil || !strings.Contains(err.Error(), "100 bytes, want ") {
			t.Errorf("cut: %v", err)
		}
	}
}
