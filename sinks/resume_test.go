package sinks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"fmsr/internal/evaluate"
	"fmsr/internal/testkit/fuzzlimit"
	"fmsr/pipeline"
)

// logOf writes a log of those steps, without anything of the clock.
var logs = map[string]struct {
	write func(t *testing.T, steps []int) []byte
	keep  func(data []byte, step int) int
}{
	"metrics": {func(t *testing.T, steps []int) []byte {
		var b bytes.Buffer
		for _, n := range steps {
			fmt.Fprintf(&b, "{\"step\":%d,\"val/mse\":0.5}\n", n)
		}
		return b.Bytes()
	}, linesUpTo},
	"tensorboard": {func(t *testing.T, steps []int) []byte {
		var b bytes.Buffer
		must(t, writeTFRecord(&b, tfVersion(1)))
		for _, n := range steps {
			event, err := tfSummary(1, n, &evaluate.Evaluation{Scalars: []evaluate.Scalar{{Name: "val/mse", Value: 0.5}}})
			must(t, err)
			must(t, writeTFRecord(&b, event))
		}
		return b.Bytes()
	}, tfEventsUpTo},
	"wandb": {func(t *testing.T, steps []int) []byte {
		var b bytes.Buffer
		log, err := newWandbLog(&b)
		must(t, err)
		writeHistory(t, log, steps)
		return b.Bytes()
	}, func(data []byte, step int) int { return wandbUpTo(data, step).length }},
}

// writeHistory writes a run, unless the log has one, and history records that go
// over a block's end.
func writeHistory(t *testing.T, log *wandbLog, steps []int) {
	if log.count == 0 {
		must(t, log.record(wandbVersion, []byte{}))
		run, err := wandbRunRecord("id", "mri", "name", map[string]any{"seed": 1}, time.Unix(7, 8))
		must(t, err)
		must(t, log.record(wandbRun, run))
	}
	for _, n := range steps {
		must(t, log.record(wandbFiles, protoBytes(nil, 1, bytes.Repeat([]byte("x"), 9000))))
		must(t, log.record(wandbHistory, protoBytes(protoBytes(nil, 1, nil), 2, protoInt(nil, 1, int64(n)))))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLogsAreCut: of a log that is torn at any byte, what stays are whole records
// of the steps up to the one asked for, and writing on gives the log that was
// never torn.
func TestLogsAreCut(t *testing.T) {
	steps := []int{2, 4, 6, 8, 10, 12}
	for name, l := range logs {
		t.Run(name, func(t *testing.T) {
			whole := l.write(t, steps)
			ends := map[int]int{} // length of the log with the first n evaluations
			for n := range len(steps) + 1 {
				ends[n] = len(l.write(t, steps[:n]))
			}
			for _, logged := range []int{0, 1, 2, 5, 6, 11, 12, 100} {
				for cut := 0; cut <= len(whole); cut += 1 + len(whole)/3000 {
					want := 0 // nothing, not even a beginning
					for n := 0; n <= len(steps); n++ {
						if ends[n] <= cut && (n == 0 || steps[n-1] <= logged) {
							want = ends[n]
						}
					}
					got := l.keep(whole[:cut], logged)
					if name == "tensorboard" && cut < ends[0] || name == "wandb" && want == 0 {
						want = 0
					}
					if got != want {
						t.Fatalf("torn at %d of %d, steps up to %d: %d bytes kept, want %d", cut, len(whole), logged, got, want)
					}
				}
			}
			damaged := bytes.Clone(whole)
			damaged[ends[3]+20] ^= 1
			if got := l.keep(damaged, 100); name != "metrics" && got != ends[3] {
				t.Errorf("damaged after the third evaluation: %d bytes kept, want %d", got, ends[3])
			}
		})
	}
}

// TestWandbGoesOn: a log that was cut and written on is the log in one piece.
func TestWandbGoesOn(t *testing.T) {
	whole := logs["wandb"].write(t, []int{2, 4, 6, 8, 10, 12})
	kept := wandbUpTo(whole, 7)
	if !kept.started.Equal(time.Unix(7, 8)) {
		t.Errorf("started %v", kept.started)
	}
	b := bytes.NewBuffer(bytes.Clone(whole[:kept.length]))
	writeHistory(t, &wandbLog{w: b, at: kept.length % wandbBlock, count: kept.records}, []int{8, 10, 12})
	if !bytes.Equal(b.Bytes(), whole) {
		t.Error("the log that was gone on with differs from the one in one piece")
	}
}

// TestOpenLog: afresh it is empty, and a run that goes on appends to what is kept.
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

// FuzzLogs: no damage makes a reader of logs fail.
func FuzzLogs(f *testing.F) {
	f.Add([]byte("{\"step\":1}\n"))
	f.Add([]byte(wandbMagic + "\x00\x00\x00\x00\x00\x00\x01"))
	var b bytes.Buffer
	_ = writeTFRecord(&b, tfVersion(1))
	f.Add(b.Bytes())
	f.Add(protowire.AppendTag(nil, 2, protowire.BytesType))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() {
			for name, l := range logs {
				if n := l.keep(data, 5); n < 0 || n > len(data) {
					t.Errorf("%s: %d bytes kept of %d", name, n, len(data))
				}
			}
			protoField(data, 1)
			protoMessage(data, 2)
		})
	})
}
