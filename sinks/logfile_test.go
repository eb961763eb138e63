package sinks

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/cutlog"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
	"fmsr.example/fmsr/pipeline"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLinesUpTo(t *testing.T) {
	cutlog.Test(t, func(steps []int) []byte {
		var b bytes.Buffer
		for _, n := range steps {
			fmt.Fprintf(&b, "{\"step\":%d,\"val/mse\":0.5}\n", n)
		}
		return b.Bytes()
	}, linesUpTo)
}

// TestLinesUpToDamaged: only the last line may be cut. A log that is damaged before its end
// is left as it is, so that no later line is lost.
func TestLinesUpToDamaged(t *testing.T) {
	for _, bad := range []string{"{\"step\":2,\"val", "", "{}", "\x00\x00"} {
		text := "{\"step\":1}\n" + bad + "\n{\"step\":3}\n"
		path := filepath.Join(t.TempDir(), "metrics.jsonl")
		must(t, os.WriteFile(path, []byte(text), 0o644))
		_, err := openLog(path, pipeline.Resume{From: "run/checkpoint.pt", Dir: "run", Done: pipeline.Done{Steps: 5}}, linesUpTo)
		if err == nil || !strings.HasPrefix(err.Error(), path+": line 2 is damaged") || !errors.As(err, new(*pipeline.InputError)) {
			t.Errorf("%q: %v", bad, err)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q became %q, %v", text, left, err)
		}
	}
}

// FuzzLinesUpTo: no bytes make the reader fail.
func FuzzLinesUpTo(f *testing.F) {
	f.Add([]byte("{\"step\":1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() {
			if n, _ := linesUpTo(data, 5); n < 0 || n > len(data) {
				t.Errorf("%d bytes kept of %d", n, len(data))
			}
		})
	})
}

// TestOpenLog: the log of a new run is empty, and a resumed run appends to what is kept.
func TestOpenLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	must(t, os.WriteFile(path, []byte("{\"step\":1}\n{\"step\":2}\n{\"st"), 0o644))
	f, err := openLog(path, pipeline.Resume{From: "run/checkpoint.pt", Dir: "run", Done: pipeline.Done{Steps: 1}}, linesUpTo)
	must(t, err)
	_, err = f.WriteString("more")
	must(t, err)
	must(t, f.Close())
	got, err := os.ReadFile(path)
	must(t, err)
	if want := "{\"step\":1}\nmore"; string(got) != want {
		t.Errorf("log %q, want %q", got, want)
	}
	f, err = openLog(path, pipeline.Resume{From: "other/checkpoint.pt", Dir: "run", Done: pipeline.Done{Steps: 1}}, linesUpTo)
	must(t, err)
	must(t, f.Close())
	if got, _ := os.ReadFile(path); len(got) != 0 {
		t.Errorf("a fresh log holds %q", got)
	}
}

// TestOpenLogOfCopy: a run's folder that was copied by hard links (cp -al, a backup) keeps
// its log when the run is resumed or started over.
func TestOpenLogOfCopy(t *testing.T) {
	const text = "{\"step\":1}\n{\"step\":2}\n"
	for _, from := range []string{"run/checkpoint.pt", ""} {
		dir := t.TempDir()
		path, backup := filepath.Join(dir, "log"), filepath.Join(dir, "backup")
		must(t, os.WriteFile(path, []byte(text), 0o644))
		must(t, os.Link(path, backup))
		f, err := openLog(path, pipeline.Resume{From: from, Dir: "run", Done: pipeline.Done{Steps: 1}}, linesUpTo)
		must(t, err)
		_, err = f.WriteString("more")
		must(t, err)
		must(t, f.Close())
		if got, err := os.ReadFile(backup); err != nil || string(got) != text {
			t.Errorf("from %q: the backup became %q, %v", from, got, err)
		}
		want := map[string]string{"run/checkpoint.pt": "{\"step\":1}\nmore", "": "more"}[from]
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("from %q: log %q, %v, want %q", from, got, err, want)
		}
	}
}
