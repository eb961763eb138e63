package cli

import (
	"context"
	"io"
	"os"
	"strconv"
	"sync"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/liveview"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/pipeline"
)

// eventsVariable names the descriptor on which a shard tells its launcher what it does.
const eventsVariable = "FMSR_EVENTS"

// shares shows on one live view what several shards do.
type shares struct {
	view *liveview.View

	mu  sync.Mutex
	all []display.Event // of each rank, the last one
}

// sharesOn returns the shares of a live view; nil: out is none.
func sharesOn(out io.Writer, size int) *shares {
	view, ok := out.(*liveview.View)
	if !ok {
		return nil
	}
	s := &shares{view: view, all: make([]display.Event, size)}
	view.Memory(s.resident)
	return s
}

// launchShown is launch of a spec. Rank 0 of those that train shows the run. Shards are shown
// here, together, unless flags have asked for another way, in which each shows itself.
func launchShown(ctx context.Context, size int, spec *pipeline.Spec, asked bool, stdout, stderr io.Writer) error {
	if asked || spec.Trains() {
		return launch(ctx, size, spec.Trains(), stdout, stderr)
	}
	shown, end := show(ctx, stdout, ranks.Place{Size: 1}, spec)
	if _, live := shown.(*liveview.View); live {
		stderr = shown
	}
	return end(launch(ctx, size, false, shown, stderr))
}

// show takes a rank's event.
func (s *shares) show(rank int, e display.Event) {
	s.mu.Lock()
	s.all[rank] = e
	var works []display.Work
	for _, e := range s.all {
		works = append(works, e.Work)
	}
	s.mu.Unlock()
	s.view.Work(display.Join(works))
}

// resident returns the memory of all ranks.
func (s *shares) resident() (bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.all {
		bytes += e.Resident
	}
	return bytes
}

// startShown starts a rank whose events the shares show; nil: it has none.
func (r *rankProcess) startShown(on *shares) error {
	if on == nil {
		return r.Start()
	}
	events, its, err := os.Pipe()
	if err != nil {
		return err
	}
	defer its.Close()
	r.ExtraFiles = []*os.File{its}
	r.Env = append(r.Env, eventsVariable+"=3") // the first after stdin, stdout and stderr
	if err := r.Start(); err != nil {
		events.Close()
		return err
	}
	r.events.Go(func() {
		defer events.Close()
		_ = display.Receive(events, func(e display.Event) { on.show(r.rank, e) }) // a rank that is killed may leave half an event
	})
	return nil
}

// eventsTo returns a display that tells a launcher what this shard does; nil: no launcher asks.
func eventsTo(lines io.Writer) io.Writer {
	fd, err := strconv.Atoi(os.Getenv(eventsVariable))
	if err != nil {
		return nil
	}
	return display.NewEvents(lines, os.NewFile(uintptr(fd), eventsVariable))
}
