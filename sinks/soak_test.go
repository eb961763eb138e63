package sinks_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/pipeline"
)

// usage is what a process holds at a moment of a run.
type usage struct {
	at                               time.Duration
	resident                         int64 // kB
	goroutines, descriptors, tensors int
}

func measure(t *testing.T, began time.Time) usage {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, line, _ := strings.Cut(string(status), "VmRSS:")
	resident, err := strconv.ParseInt(strings.Fields(line)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return usage{time.Since(began), resident, runtime.NumGoroutine(), len(open), int(torchx.Live())}
}

// most are the largest of each.
func most(all []usage) (m usage) {
	for _, u := range all {
		m.resident, m.goroutines = max(m.resident, u.resident), max(m.goroutines, u.goroutines)
		m.descriptors, m.tensors = max(m.descriptors, u.descriptors), max(m.tensors, u.tensors)
	}
	return m
}

// TestSoak: a run that evaluates and saves all the time holds no more at its end
// than early on. FMSR_SOAK=30m sets how long (make soak), else it is some seconds,
// in which memory has not settled yet.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("FMSR_SOAK"))
	if err != nil {
		long = 6 * time.Second
	}
	root, dir := data(t, 0), t.TempDir()
	done := errors.New("long enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- run(t, ctx, root, &strings.Builder{},
			pipeline.Override{Path: "train.total_steps", Value: "1000000000", Flag: "--total-steps"},
			pipeline.Override{Path: "train.print_every", Value: "1000000", Flag: "--print-every"},
			pipeline.Override{Path: "eval.log_every", Value: "20", Flag: "--log-every"},
			pipeline.Override{Path: "run.checkpoint_every", Value: "10", Flag: "--checkpoint-every"},
			pipeline.Override{Path: "run.keep", Value: "3", Flag: "--keep"},
			pipeline.Override{Path: "run.threads", Value: "1", Flag: "--threads"},
			pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})
	}()
	named := func() []string {
		kept, err := filepath.Glob(filepath.Join(dir, "checkpoint-*.pt"))
		if err != nil {
			t.Fatal(err)
		}
		return kept
	}
	began := time.Now()
	for len(named()) == 0 && time.Since(began) < time.Minute { // however long it takes to begin
		time.Sleep(long / 600)
	}
	began = time.Now()
	var all []usage
	for time.Since(began) < long || len(named()) < 3 && time.Since(began) < time.Minute {
		time.Sleep(long / 600)
		all = append(all, measure(t, began))
	}
	cancel(done)
	if err := <-ended; !errors.Is(err, done) {
		t.Fatal(err)
	}
	for i := range 10 {
		t.Logf("%+v", all[(i+1)*len(all)/10-1])
	}
	early, late := most(all[len(all)/6:len(all)/2]), most(all[len(all)/2:])
	t.Logf("at most %+v early, %+v late", early, late)
	// what one step or evaluation has in hand when it is looked at differs
	if late.goroutines > early.goroutines+4 || late.descriptors > early.descriptors+4 || late.tensors > early.tensors+200 {
		t.Errorf("it grew: at most %+v early, %+v late", early, late)
	}
	if long >= 5*time.Minute && float64(late.resident) > 1.05*float64(early.resident) {
		t.Errorf("resident memory grew from %d to %d kB", early.resident, late.resident)
	}
	if kept := named(); len(kept) != 3 {
		t.Errorf("checkpoints %v: want 3", kept)
	} else {
		t.Logf("the newest checkpoint is %s", filepath.Base(kept[2]))
	}
}
