package torchfile

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verifyFile opens and verifies.
func verifyFile(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Verify(context.Background())
}

// TestVerify: of a file that Write made no byte can change, headers, padding and
// directory included, none be missing and none follow.
func TestVerify(t *testing.T) {
	good := write(t, append(sample(), Entry{"format", 1}))
	path := filepath.Join(t.TempDir(), "c.pt")
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := verifyFile(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i := range good {
		_, writeErr := f.WriteAt([]byte{good[i] ^ 1<<(i%8)}, int64(i))
		if verifyFile(path) == nil {
			t.Errorf("bit %d of byte %d of %d flipped: it passes", i%8, i, len(good))
		}
		_, err := f.WriteAt(good[i:i+1], int64(i))
		if err := errors.Join(writeErr, err); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0)} {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if verifyFile(path) == nil {
			t.Errorf("%s, it passes", name)
		}
	}
	stopped, stop := context.WithCancelCause(context.Background())
	stop(errors.New("enough"))
	c, err := openBytes(t, good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Verify(stopped); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("stopped: %v", err)
	}
}

// TestVerifyNoCRC: a CRC of 0, which Go's reader takes for none, is held against
// the data too.
func TestVerifyNoCRC(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "c/data.pkl", CompressedSize64: 2, UncompressedSize64: 2})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write([]byte("}."))
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := openBytes(t, b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Verify(context.Background()); err == nil || !strings.Contains(err.Error(), "record c/data.pkl: CRC-32") {
		t.Errorf("error %v, want the record and its CRC", err)
	}
}

// TestVerifyTorch: a file that PyTorch wrote, of fmsr's keys too, is whole; a byte
// of any record's data can't change. Where FMSR_PYTHON names a Python that has it.
func TestVerifyTorch(t *testing.T) {
	python := os.Getenv("FMSR_PYTHON")
	if python == "" {
		t.Skip("FMSR_PYTHON does not name a Python with PyTorch")
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	script := `import sys, torch; torch.save({"w": torch.arange(40.), "v": torch.ones(3), "format": 1}, sys.argv[1])`
	if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := verifyFile(path); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	covered, missed := map[int64]bool{}, 0
	for _, r := range z.File {
		at, err := r.DataOffset()
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(r.UncompressedSize64) {
			covered[at+i] = true
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if verifyFile(path) != nil {
			continue
		}
		if missed++; covered[int64(i)] {
			t.Errorf("byte %d of a record's data flipped: it passes", i)
		}
	}
	t.Logf("%d of %d bytes of headers and padding are read by nobody", missed, len(good)-len(covered))
}
