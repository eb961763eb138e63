package ranks

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

	left     chan struct{} // closed at the end of Leave
	watching sync.WaitGroup
	abandon  *time.Timer // runs once the run has ended because of another rank
}

// Join waits until all ranks have come. The context that it returns ends with a
// *PeerError when another rank fails, and with a signal's cause when another rank is
// sent one. The caller calls Leave.
func Join(ctx context.Context, p Place, opt Options) (context.Context, *Group, error) {
	g := &Group{Place: p, opt: opt, left: make(chan struct{}), since: time.Now()}
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
		case <-ctx.Done():
		case <-g.ctx.Done():
		case <-time.After(g.opt.Limits.Silence + g.opt.Limits.Broken):
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

// largest is the most bytes of a value in the store.
const largest = 1 << 20

// Share returns on every rank what rank 0 makes. what names it, for messages.
func (g *Group) Share(ctx context.Context, what string, make func() ([]byte, error)) (data []byte, err error) {
	g.turn++
	key := g.key("shared/%d", g.turn)
	if g.Rank == 0 {
		if data, err = make(); err != nil {
			return nil, err
		}
		return data, g.Explain(ctx, g.call(ctx, func() error { return g.put(key, data) }))
	}
	err = g.Waiting(ctx, "wait for "+g.Name(0)+", "+what, func() (err error) {
		data, err = g.take(ctx, key)
		return err
	})
	return data, err
}

// put sets a value, which may be larger than the store's.
func (g *Group) put(key string, data []byte) error {
	n := 0
	for part := range slices.Chunk(data, largest) {
		if err := g.store.Set(fmt.Sprintf("%s/%d", key, n), part); err != nil {
			return err
		}
		n++
	}
	return g.store.Set(key, fmt.Append(nil, n))
}

// take waits for a value that put has set.
func (g *Group) take(ctx context.Context, key string) (data []byte, err error) {
	parts, err := g.await(ctx, key)
	if err != nil {
		return nil, err
	}
	n := 0
	if _, err := fmt.Sscan(string(parts), &n); err != nil {
		return nil, fmt.Errorf("the ranks' store: %s: %w", key, err)
	}
	for i := range n {
		part, err := g.await(ctx, fmt.Sprintf("%s/%d", key, i))
		if err != nil {
			return nil, err
		}
		data = append(data, part...)
	}
	return data, nil
}

// remove removes a value that put has set, and that no rank will take any more.
func (g *Group) remove(ctx context.Context, key string) error {
	return g.call(ctx, func() error {
		_, err := g.store.Delete(key)
		for i := 0; err == nil; i++ {
			was := false
			if was, err = g.store.Delete(fmt.Sprintf("%s/%d", key, i)); !was {
				break
			}
		}
		return err
	})
}

// Fact is something that must be the same on all ranks.
type Fact struct{ Name, Value string }

// Compare returns an error that names the first rank whose facts are not rank 0's, and
// what differs. It is the same *PeerError on every rank, which rank 0 reports.
func (g *Group) Compare(ctx context.Context, facts []Fact) error {
	g.turn++
	mine, _ := json.Marshal(facts) // strings
	key := g.key("facts/%d", g.turn)
	if g.Rank > 0 {
		if err := g.Explain(ctx, g.call(ctx, func() error { return g.put(fmt.Sprintf("%s/%d", key, g.Rank), mine) })); err != nil {
			return err
		}
	}
	data, err := g.Share(ctx, "which compares all ranks", func() ([]byte, error) {
		for r := 1; r < g.Size; r++ {
			var theirs []Fact
			err := g.Waiting(ctx, "wait for "+g.Name(r), func() error {
				data, err := g.take(ctx, fmt.Sprintf("%s/%d", key, r))
				if err == nil {
					err = json.Unmarshal(data, &theirs)
				}
				return errors.Join(err, g.remove(ctx, fmt.Sprintf("%s/%d", key, r)))
			})
			if err != nil {
				return nil, err
			}
			if why := g.differ(facts, theirs); why != "" {
				return json.Marshal(Failure{Rank: r, Host: g.Hosts[r], Why: why})
			}
		}
		return nil, nil
	})
	if err != nil || len(data) == 0 {
		return err
	}
	different := &PeerError{Reports: g.Rank == 0}
	return cmp.Or[error](json.Unmarshal(data, &different.Failure), different)
}

// differ returns how a rank's facts differ from rank 0's; empty: not at all.
func (g *Group) differ(first, theirs []Fact) string {
	for i, want := range first {
		got := Fact{Value: "missing"}
		if i < len(theirs) {
			got = theirs[i]
		}
		if got != want {
			return fmt.Sprintf("differs from %s: its %s is %s, want %s", g.Name(0), want.Name, got.Value, want.Value)
		}
	}
	return ""
}

// Gather returns the data of all ranks, of any lengths. what is what they do for messages.
func (g *Group) Gather(ctx context.Context, what string, data []byte) (all [][]byte, err error) {
	err = g.Waiting(ctx, what, func() (err error) {
		all, err = g.Collectives.AllGather(ctx, data)
		return err
	})
	return all, err
}

// InTurn runs f on rank 0 first, then on the first rank of every other machine, and then on
// all others, so that ranks that share a folder do not make the same files in it at once.
func (g *Group) InTurn(ctx context.Context, what string, f func() error) error {
	g.turn++
	key := g.key("turn/%d", g.turn)
	var after []int // the ranks to wait for
	if g.Rank > 0 {
		after = append(after, 0)
	}
	if leader := slices.Index(g.Hosts, g.Hosts[g.Rank]); leader != g.Rank && leader != 0 {
		after = append(after, leader)
	}
	for _, r := range after {
		err := g.Waiting(ctx, "wait for "+g.Name(r)+", "+what, func() error {
			_, err := g.await(ctx, fmt.Sprintf("%s/%d", key, r))
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	return g.Explain(ctx, g.call(ctx, func() error { return g.store.Set(fmt.Sprintf("%s/%d", key, g.Rank), nil) }))
}

// abandonAfter abandons the process after a time, and as long as rank 0 saves, after more.
func (g *Group) abandonAfter(limit time.Duration, err error) {
	g.abandon = time.AfterFunc(limit, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.now.Doing == Save {
			g.abandonAfter(limit, err)
			return
		}
		go g.opt.Abandon(err)
	})
}

// Failed tells the others why this rank ends, unless it ends because of one of them.
func (g *Group) Failed(err error) {
	peer := (*PeerError)(nil)
	if g == nil || err == nil || errors.As(err, &peer) || errors.As(context.Cause(g.ctx), &peer) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), g.opt.Limits.Broken)
	defer cancel()
	_ = g.call(ctx, func() error { return g.post(g.store, g.failure(err)) }) // without it, they miss this rank's beat
}

// failure returns this rank's own failure, by an error or a signal.
func (g *Group) failure(err error) Failure {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := Failure{Rank: g.Rank, Host: g.Hosts[g.Rank], Step: g.now.Step, Doing: g.now.Doing, Signal: g.opt.SignalOf(err), Why: "failed: " + firstLine(err)}
	if f.Signal != 0 {
		f.Why = fmt.Sprintf("was sent signal %d", f.Signal)
	}
	return f
}

func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}

// post writes a failure down, unless another was first.
func (p Place) post(store Store, f Failure) error {
	n, err := store.Add(p.key("failures"), 1)
	if err != nil || n > 1 {
		return err
	}
	data, _ := json.Marshal(f) // strings and numbers
	return store.Set(p.key("failure"), data)
}

// Report tells the ranks, for their launcher, that one of them on this host is gone.
func Report(store Store, p Place, host, why string) error {
	var last beat
	key := p.key("beat/%d", p.Rank)
	if there, err := store.Has(key); there && err == nil {
		data, err := store.Get(context.Background(), key, time.Second)
		if err == nil {
			err = json.Unmarshal(data, &last)
		}
		if err != nil {
			return err
		}
	}
	return p.post(store, last.failure(p.Rank, host, "%s", why))
}

// Leave ends the group. A rank that has succeeded waits until rank 0 has, or until another
// one fails. After a failure it waits some time for rank 0, which saves, since its own end
// could make the launcher end all. Rank 0 waits until the others have left, since they may
// need the store that it serves.
func (g *Group) Leave(err error) error {
	g.Failed(err)
	if err == nil && g.Rank > 0 {
		err = g.Waiting(g.ctx, "wait for "+g.Name(0)+", which ends the run", func() error {
			_, err := g.await(g.ctx, g.key("done"))
			return err
		})
	}
	g.mu.Lock()
	if g.abandon != nil { // what follows ends in time
		g.abandon.Stop()
	}
	g.mu.Unlock()
	gone := -1
	if peer := (*PeerError)(nil); errors.As(context.Cause(g.ctx), &peer) && (peer.Lost || peer.Rank == g.Rank) {
		gone = peer.Rank
	}
	limit := g.opt.Limits.End
	if err != nil && g.Rank == 0 { // the others only wait for its word
		limit = g.opt.Limits.Broken
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	switch {
	case gone == 0 || gone == g.Rank: // there is nobody to wait for
	case g.Rank == 0:
		_ = g.call(ctx, func() error { return g.endFirst(ctx, err == nil, gone) })
	default:
		if err != nil {
			_, _ = g.await(ctx, g.key("ended")) // without it, this rank ends anyway
		}
		_ = g.call(ctx, func() error { _, err := g.store.Add(g.key("left"), 1); return err })
	}
	close(g.left)
	g.cancel(nil)
	_ = g.call(ctx, func() error { g.watching.Wait(); return nil }) // in vain if the store does not answer
	return err
}

// endFirst tells the others that rank 0 ends, and waits until they have left if it serves
// the store.
func (g *Group) endFirst(ctx context.Context, done bool, gone int) error {
	if done {
		if err := g.store.Set(g.key("done"), nil); err != nil {
			return err
		}
	}
	err := g.store.Set(g.key("ended"), nil)
	others := int64(g.Size - 1)
	if gone > 0 {
		others--
	}
	for n := int64(0); g.Serves() && err == nil && n < others && ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
		n, err = g.store.Add(g.key("left"), 0)
	}
	return err
}
