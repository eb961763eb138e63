package wandb

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/format/protofield"
	"fmsr.example/fmsr/internal/testkit/cutlog"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

var (
	started = time.Unix(7, 8)
	at      = time.Unix(9, 0)
)

// logOf is a log with a run and a history record at each of the steps, the files of
// which go beyond a block's end.
func logOf(t testing.TB, steps []int) []byte {
	t.Helper()
	var b bytes.Buffer
	log, err := Start(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Run(Run{ID: "id", Project: "mri", Name: "name", Config: map[string]any{"seed": 1}, Started: started}); err != nil {
		t.Fatal(err)
	}
	writeSteps(t, log, steps)
	return b.Bytes()
}

func writeSteps(t testing.TB, log *Log, steps []int) {
	t.Helper()
	for _, n := range steps {
		if err := log.Files([]string{strings.Repeat("x", 9000)}); err != nil {
			t.Fatal(err)
		}
		if err := log.History(n, at, started, map[string]any{"val/mse": 0.5}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpTo(t *testing.T) {
	cutlog.Test(t, func(steps []int) []byte { return logOf(t, steps) }, func(data []byte, step int) (int, error) {
		kept, err := UpTo(data, step)
		return kept.Length, err
	})
}

func TestUpToDamaged(t *testing.T) {
	data, kept := logOf(t, []int{2, 4, 6, 8}), len(logOf(t, []int{2, 4, 6}))
	data[len(data)-3] ^= 1
	if got, err := UpTo(data, 100); got.Length != kept || err != nil {
		t.Errorf("damaged after the third step: %d bytes kept, %v, want %d", got.Length, err, kept)
	}
	for at := len(logOf(t, nil)); at < kept; at += 97 {
		data := logOf(t, []int{2, 4, 6, 8})
		data[at] ^= 1
		if got, err := UpTo(data, 100); err == nil {
			t.Errorf("byte %d, before the last step, changed: %d bytes kept, and no error", at, got.Length)
		}
	}
}

// TestResume: a log that was cut and continued is the log in one piece.
func TestResume(t *testing.T) {
	whole := logOf(t, []int{2, 4, 6, 8, 10, 12})
	kept, err := UpTo(whole, 7)
	if err != nil {
		t.Fatal(err)
	}
	if !kept.Started.Equal(started) {
		t.Errorf("started %v, want %v", kept.Started, started)
	}
	b := bytes.NewBuffer(bytes.Clone(whole[:kept.Length]))
	writeSteps(t, Resume(b, kept), []int{8, 10, 12})
	if !bytes.Equal(b.Bytes(), whole) {
		t.Error("the continued log differs from the one in one piece")
	}
}

// TestSummary: each step's figures are the run's latest ones, for screens that show the summary.
func TestSummary(t *testing.T) {
	data, found := logOf(t, []int{2, 4}), 0
	for record, at := recordAt(data, headerSize); record != nil; record, at = recordAt(data, at) {
		if summary := protofield.Bytes(record, recordSummary); bytes.Contains(summary, []byte("\x0a\x07val/mse")) {
			found++
		}
	}
	if found != 2 {
		t.Errorf("%d summaries with a key val/mse in field 1, want 2", found)
	}
}

func TestPictureRefused(t *testing.T) {
	if _, _, err := Picture("velx", 1, []byte("no picture")); err == nil || !strings.Contains(err.Error(), "velx") {
		t.Errorf("what is no PNG: %v", err)
	}
}

// FuzzUpTo: no bytes make the reader fail.
func FuzzUpTo(f *testing.F) {
	f.Add(logOf(f, []int{1}))
	f.Add([]byte(magic + "\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() {
			if kept, _ := UpTo(data, 5); kept.Length < 0 || kept.Length > len(data) {
				t.Errorf("%d bytes kept of %d", kept.Length, len(data))
			}
		})
	})
}
