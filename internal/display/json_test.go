package display

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// showAll shows a little of everything.
func showAll(d Display) {
	_, _ = d.Write([]byte("s.yaml:3:4: warning: train.lr: is odd\nresuming from step 2\n\n"))
	d.Work(Work{Name: "fitting"})
	d.Piece(Work{Name: "files", Done: 1, Total: 2})
	d.Step(Step{N: 1, Stop: 9, Total: 9, Loss: 2.5})
	d.Step(Step{N: 2, Stop: 9, Total: 9, Loss: 2.5, LR: 1e-4, Left: 3 * time.Second, Due: true})
	d.Evaluated(Evaluation{Step: 2, Frames: 8, Headline: []Figure{{"val/mse", 0.5}}})
	d.Account([]Stage{{Name: "load", Elements: 3, Busy: time.Second}})
	_, _ = d.Write([]byte("warning: its own\n"))
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	showAll(NewJSON(&out, true))
	var got []string
	for line := range strings.Lines(out.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		delete(record, "time")
		text, _ := json.Marshal(record)
		got = append(got, string(text))
	}
	want := []string{
		`{"level":"WARN","msg":"s.yaml:3:4: train.lr: is odd"}`,
		`{"level":"INFO","msg":"resuming from step 2"}`,
		`{"done":1,"level":"INFO","msg":"files","total":2}`,
		`{"frames_per_s":0,"grad_norm":0,"left_s":3,"level":"INFO","loss":2.5,"lr":0.0001,"msg":"step","step":2,"steps_per_s":0,"total":9}`,
		`{"frames":8,"level":"INFO","msg":"evaluation","seconds":0,"step":2,"val/mse":0.5,"verdict":""}`,
		`{"busy_s":1,"elements":3,"in":"","level":"INFO","msg":"stage","share":1,"stage":"load","waiting_s":0}`,
		`{"level":"WARN","msg":"its own"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestQuiet(t *testing.T) {
	var out bytes.Buffer
	showAll(Quiet{&out})
	if want := "s.yaml:3:4: warning: train.lr: is odd\nwarning: its own\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
