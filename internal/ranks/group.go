package ranks

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Store keeps values under keys, for all ranks: torchx.Store.
type Store interface {
	Set(key string, value []byte) error
	Get(ctx context.Context, key string, timeout time.Duration) ([]byte, error) // waits for the key
	Has(keys ...string) (bool, error)
	Add(key string, n int64) (int64, error) // to a number, 0 at first
	Delete(key string) (bool, error)
}

// Collectives move data between the ranks: torch's c10d. All ranks call them in the same
// order. They end with ctx.
type Collectives interface {
	// AllGather returns the data of all ranks, of any lengths.
	AllGather(ctx context.Context, data []byte) ([][]byte, error)
	// Waits reports whether one of them waits for other ranks now. The monitor asks.
	Waits() bool
}

// Options are what Join needs besides the rank's place.
type Options struct {
	Dial   func() (Store, error) // opens a connection to the run's store
	Host   string                // this machine's name
	Limits Limits

	SignalOf func(cause error) int  // the signal that ended a context; 0: none did
	Signal   func(signal int) error // the cause of a context that a signal ends
	Input    func(err error) bool   // whether an error is a fault of the input
	Abandon  func(err error)        // ends the process, which has not ended by itself
	Notice   func(line string)      // shows what rank 0 has been waiting for
}

// Group is the ranks of a run, as one of them sees it. The goroutine that runs the
// stages calls its methods, all ranks in the same order.
type Group struct {
	Place
	Hosts       []string // of each rank
	Collectives Collectives

	opt    Options
	store  Store // the run's own connection; the monitor has another
	turn   int   // counts what the ranks tell each other
	cancel context.CancelCauseFunc
	ctx    context.Context

	mu      sync.Mutex
	now     beat
	since   time.Time     // of now.Doing
	longest time.Duration // training step
	suspect bool          // a connection has broken
	hurry   chan struct{} // then the monitor looks more often

	same     *PeerError    // another rank has failed first, for the same reason
	left     chan struct{} // closed at the end of Leave
	watching sync.WaitGroup
	abandon  *time.Timer // runs once the run has ended because of another rank
}

// Join waits until all ranks have come. The context that it returns ends with a
// *PeerError when another rank fails, and with a signal's cause when another rank is
// sent one. The caller calls Leave.
func Join(ctx context.Context, p Place, opt Options) (context.Context, *Group, error) {
	g := &Group{Place: p, opt: opt, left: make(chan struct{}), hurry: make(chan struct{}, 1), since: time.Now()}
	g.now.Doing = "start"
	var watch Store
	err := g.call(ctx, func() (err error) {
		if g.store, err = opt.Dial(); err == nil {
			watch, err = opt.Dial()
		}
		return err
	})
	if err != nil {
		return ctx, nil, fmt.Errorf("rank %d of %d: the ranks' store at %s: %w", p.Rank, p.Size, p.Address(), err)
	}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	if err := g.arrive(); err != nil {
		g.cancel(nil)
		return ctx, nil, err
	}
	m := &monitor{g: g, store: watch, peers: map[int]*seen{}}
	m.answered.Store(time.Now().UnixNano())
	g.watching.Add(2)
	go m.beats()
	go m.watchStore()
	return g.ctx, g, nil
}

// arrive says that this rank has come, and waits until rank 0 has seen all of them.
func (g *Group) arrive() error {
	err := g.store.Set(g.key("arrived/%d", g.Rank), []byte(g.opt.Host))
	if err != nil {
		return fmt.Errorf("rank %d of %d: the ranks' store at %s: %w", g.Rank, g.Size, g.Address(), err)
	}
	ctx, cancel := context.WithTimeoutCause(g.ctx, g.opt.Limits.Arrive, fmt.Errorf("it has not come within %v", g.opt.Limits.Arrive))
	defer cancel()
	if g.Rank > 0 {
		hosts, err := g.await(ctx, g.key("hosts"))
		if err == nil {
			err = json.Unmarshal(hosts, &g.Hosts)
		}
		if err != nil {
			return fmt.Errorf("rank %d of %d: waiting at %s for rank 0, which waits for all ranks: %w", g.Rank, g.Size, g.Address(), err)
		}
		return nil
	}
	for r := range g.Size {
		host, err := g.await(ctx, g.key("arrived/%d", r))
		if err != nil {
			return fmt.Errorf("rank 0 of %d: waiting at %s for rank %d: %w", g.Size, g.Address(), r, err)
		}
		g.Hosts = append(g.Hosts, string(host))
	}
	hosts, _ := json.Marshal(g.Hosts) // strings
	return g.store.Set(g.key("hosts"), hosts)
}

// Prefix returns the beginning of the keys of this attempt of the run: a launcher's store
// outlives attempts.
func (p Place) Prefix() string { return fmt.Sprintf("fmsr/%d.%d/", p.Attempt, p.Size) }

func (p Place) key(format string, args ...any) string {
	return p.Prefix() + fmt.Sprintf(format, args...)
}

// Connect sets the group's collectives.
func (g *Group) Connect(c Collectives) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.Collectives = c
}

// Name returns a rank's name for messages: "rank 2 on n1".
func (g *Group) Name(rank int) string { return fmt.Sprintf("rank %d on %s", rank, g.Hosts[rank]) }

// What a rank does that the monitor knows: work that must not take much longer than it
// usually does, and rank 0's work once the run has ended.
const (
	Step  = "its training step"
	Batch = "the reading of its next batch"
	Save  = "the last checkpoint"
)

// Doing records what the rank is doing from now on, at a step. A nil group records
// nothing.
func (g *Group) Doing(step int, what string) {
	if g != nil {
		g.become(step, what, false)
	}
}

// Stepped records that a step has been taken. If it is logged, rank 0 writes now.
func (g *Group) Stepped(step int, logged bool) {
	if g != nil && g.Rank == 0 && logged {
		g.Doing(step, "the logs")
	} else {
		g.Doing(step, Batch)
	}
}

// Before is called, if a test sets it, before a rank begins to do something at a step.
var Before func(step int, what string)

func (g *Group) become(step int, what string, waits bool) (was beat) {
	if Before != nil {
		Before(step, what)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	was = g.now
	if was.Doing == Step && what != Step {
		g.longest = max(g.longest, time.Since(g.since))
	}
	g.now.Step, g.now.Doing, g.now.Waits, g.since = step, what, waits, time.Now()
	return was
}

// Waiting runs f, in which the rank waits for others. If f fails because another rank
// has, the error names that rank.
func (g *Group) Waiting(ctx context.Context, what string, f func() error) error {
	g.mu.Lock()
	step := g.now.Step
	g.mu.Unlock()
	was := g.become(step, what, true)
	defer g.become(was.Step, was.Doing, was.Waits)
	if step == 0 && g.Rank == 0 { // later, progress shows
		notice := time.AfterFunc(g.opt.Limits.Notice, func() { g.opt.Notice("rank 0: " + what) })
		defer notice.Stop()
	}
	return g.Explain(ctx, f())
}

// Explain returns the reason for an error that may be one of communication: usually the
// failure of another rank, which the monitor finds out in some seconds.
func (g *Group) Explain(ctx context.Context, err error) error {
	if err == nil || g == nil {
		return err
	}
	if ctx.Err() == nil {
		g.mu.Lock()
		g.suspect = true
		g.mu.Unlock()
		select {
		case g.hurry <- struct{}{}:
		default: // it does already
		}
		select {
		case <-ctx.Done():
		case <-g.ctx.Done():
		case <-time.After(2 * (g.opt.Limits.Broken + g.opt.Limits.Beat)):
			return err // all others are running
		}
	}
	if g.ctx.Err() != nil {
		return context.Cause(g.ctx)
	}
	return context.Cause(ctx)
}

// await waits for a key, and returns its value.
func (g *Group) await(ctx context.Context, key string) ([]byte, error) {
	value := make(chan []byte, 1)
	err := g.call(ctx, func() error {
		v, err := g.store.Get(ctx, key, 1<<62)
		value <- v
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-value, nil
}

// call runs an operation of the store, which does not return while the store's process
// is stopped: then call returns when ctx ends, and the caller must not read what f writes.
func (g *Group) call(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
