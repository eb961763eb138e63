package ranks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// memory is a store in this process.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	sums   map[string]int64
}

// client is one rank's connection to it, which can break or be stopped with its process.
type client struct {
	*memory
	broken  *atomic.Bool
	stopped *atomic.Pointer[chan struct{}]
}

var errBroken = errors.New("connection reset")

func (c client) do(f func()) error {
	if stop := c.stopped.Load(); stop != nil {
		<-*stop
	}
	if c.broken.Load() {
		return errBroken
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
	return nil
}

func (c client) Set(key string, value []byte) error {
	return c.do(func() { c.values[key] = slices.Clone(value) })
}

func (c client) Has(keys ...string) (there bool, err error) {
	err = c.do(func() {
		there = !slices.ContainsFunc(keys, func(k string) bool { _, ok := c.values[k]; return !ok })
	})
	return there, err
}

func (c client) Get(ctx context.Context, key string, timeout time.Duration) (value []byte, err error) {
	for end := time.Now().Add(min(timeout, time.Hour)); time.Now().Before(end); time.Sleep(time.Millisecond) {
		there := false
		if err := c.do(func() { value, there = c.values[key] }); err != nil || there {
			return value, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, os.ErrDeadlineExceeded
}

func (c client) Add(key string, n int64) (sum int64, err error) {
	err = c.do(func() { c.sums[key] += n; sum = c.sums[key] })
	return sum, err
}

func (c client) Delete(key string) (was bool, err error) {
	err = c.do(func() { _, was = c.values[key]; delete(c.values, key) })
	return was, err
}

// quick are limits for tests.
var quick = Limits{
	Beat: 10 * time.Millisecond, Silence: 400 * time.Millisecond, Broken: 150 * time.Millisecond, Stall: 300 * time.Millisecond, Work: time.Minute,
	Arrive: time.Second, Notice: 30 * time.Millisecond, End: time.Minute,
}

// signalled is the cause of a context that a signal ended.
type signalled int

func (s signalled) Error() string { return fmt.Sprint("signal ", int(s)) }

// world is some ranks on two machines.
type world struct {
	t       *testing.T
	memory  *memory
	broken  []*atomic.Bool
	stopped []*atomic.Pointer[chan struct{}]
	size    int
	limits  Limits

	abandoned atomic.Pointer[error]
	notice    atomic.Pointer[string]
}

func newWorld(t *testing.T, size int) *world {
	w := &world{t: t, memory: &memory{values: map[string][]byte{}, sums: map[string]int64{}}, limits: quick, size: size}
	for range size {
		w.broken = append(w.broken, &atomic.Bool{})
		w.stopped = append(w.stopped, &atomic.Pointer[chan struct{}]{})
	}
	return w
}

// run runs f on every rank and returns what it and Leave returned.
func (w *world) run(f func(ctx context.Context, g *Group) error) []error {
	size := w.size
	errs := make([]error, size)
	var all sync.WaitGroup
	for rank := range size {
		all.Add(1)
		go func() {
			defer all.Done()
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			ctx, g, err := Join(ctx, Place{Rank: rank, Size: size, Host: "n0", Port: 7}, Options{
				Dial: func() (Store, error) { return client{w.memory, w.broken[rank], w.stopped[rank]}, nil },
				Host: fmt.Sprint("n", 2*rank/size), Limits: w.limits,
				SignalOf: func(cause error) int {
					var s signalled
					errors.As(cause, &s)
					return int(s)
				},
				Signal:  func(signal int) error { return signalled(signal) },
				Input:   func(err error) bool { return errors.Is(err, errInput) },
				Abandon: func(err error) { w.abandoned.Store(&err) },
				Notice:  func(line string) { w.notice.Store(&line) },
			})
			if err != nil {
				errs[rank] = err
				return
			}
			errs[rank] = g.Leave(f(context.WithValue(ctx, cancelKey{}, cancel), g))
		}()
	}
	all.Wait()
	return errs
}

type cancelKey struct{}

var errInput = errors.New("no such folder")

// interrupt ends a rank's context as a signal does.
func interrupt(ctx context.Context, signal int) {
	ctx.Value(cancelKey{}).(context.CancelCauseFunc)(signalled(signal))
}

// wait waits for the end of a rank's run.
func wait(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// expect checks that every rank but those in other got an error with a text.
func (w *world) expect(errs []error, text string, other ...int) {
	w.t.Helper()
	for rank, err := range errs {
		if !slices.Contains(other, rank) && (err == nil || !strings.Contains(err.Error(), text)) {
			w.t.Errorf("rank %d: %v, want %q", rank, err, text)
		}
	}
}

// bubble runs a test with a clock that stands still while any of its goroutines runs. A busy
// machine may be slow with them: no limit of time passes. At the end no goroutine may be left.
func bubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		test(t)
		time.Sleep(time.Minute) // for goroutines that are about to end
	})
}

func TestRanksShare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4)
		large := strings.Repeat("x", largest+7)
		var mu sync.Mutex
		var order []int
		errs := w.run(func(ctx context.Context, g *Group) error {
			for _, want := range []string{"a", large, ""} {
				got, err := g.Share(ctx, "test", func() ([]byte, error) { return []byte(want), nil })
				if err != nil || string(got) != want {
					return fmt.Errorf("%d bytes, %w, want %d", len(got), err, len(want))
				}
			}
			err := g.InTurn(ctx, "test", func() error {
				time.Sleep(10 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				order = append(order, g.Rank)
				return nil
			})
			return errors.Join(err, g.Compare(ctx, []Fact{{"frames", "7"}}))
		})
		for rank, err := range errs {
			if err != nil {
				t.Errorf("rank %d: %v", rank, err)
			}
		}
		at := func(rank int) int { return slices.Index(order, rank) }
		if len(order) != 4 || at(0) != 0 || at(3) < at(2) {
			t.Errorf("order %v: want 0 first, and 3 after 2, the first on its machine", order)
		}
	})
}

func TestRanksCompare(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4)
		errs := w.run(func(ctx context.Context, g *Group) error {
			frames := "7"
			if g.Rank == 2 {
				frames = "6"
				time.Sleep(100 * time.Millisecond)
			}
			return g.Compare(ctx, []Fact{{"grid", "8 x 8"}, {"frames", frames}})
		})
		w.expect(errs, "rank 2 on n1 differs from rank 0 on n0: its frames is 6, want 7: this run ends")
		if notice := w.notice.Load(); notice == nil || *notice != "rank 0: wait for rank 2 on n1" {
			t.Errorf("notice %v, want what rank 0 waits for", notice)
		}
	})
}

func TestRanksWaitForMissing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.limits.Arrive = 50 * time.Millisecond
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		_, _, err := Join(ctx, Place{Size: 2, Host: "n0", Port: 7}, Options{
			Dial: func() (Store, error) { return client{w.memory, w.broken[0], w.stopped[0]}, nil }, Limits: w.limits,
		})
		if err == nil || !strings.Contains(err.Error(), "waiting at n0:7 for rank 1: it has not come within 50ms") {
			t.Error(err)
		}
	})
}

func TestRankFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4)
		errs := w.run(func(ctx context.Context, g *Group) error {
			g.Doing(12, "evaluation")
			if g.Rank == 2 {
				return errors.New("disk full\nmore")
			}
			return wait(ctx)
		})
		w.expect(errs, "rank 2 on n1 failed: disk full (it was at step 12, evaluation): this run ends", 2)
		if errs[2] == nil || errs[2].Error() != "disk full\nmore" {
			t.Errorf("rank 2: %v, want its own error", errs[2])
		}
		for rank, err := range errs {
			if peer := (*PeerError)(nil); errors.As(err, &peer) && (peer.Reports != (rank == 0) || peer.Input) {
				t.Errorf("rank %d: reports %v, input at fault %v", rank, peer.Reports, peer.Input)
			}
		}
	})
}

// TestInputOfOneFails: whoever ends because of it knows that the input is at fault.
func TestInputOfOneFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		errs := w.run(func(ctx context.Context, g *Group) error {
			if g.Rank == 1 {
				return errInput
			}
			return wait(ctx)
		})
		if peer := (*PeerError)(nil); !errors.As(errs[0], &peer) || !peer.Input {
			t.Errorf("rank 0: %+v, want a peer's error whose input is at fault", errs[0])
		}
	})
}

// TestAllFailAlike: as with a spec that names a folder which is not there.
func TestAllFailAlike(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 4)
		reports := 0
		for rank, err := range w.run(func(context.Context, *Group) error { return errInput }) {
			peer := (*PeerError)(nil)
			if !errors.Is(err, errInput) {
				t.Errorf("rank %d: %v, want its own error", rank, err)
			}
			if !errors.As(err, &peer) {
				reports++
			}
		}
		if reports > 2 { // rank 0 and the first
			t.Errorf("%d ranks report, want two at most", reports)
		}
	})
}

// TestRanksWaitForRank0: the others leave after rank 0, which saves.
func TestRanksWaitForRank0(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, fails := range []bool{false, true} {
			w := newWorld(t, 3)
			began := time.Now()
			w.run(func(ctx context.Context, g *Group) (err error) {
				if fails {
					err = errors.New("disk full")
					if g.Rank != 1 {
						err = wait(ctx)
					}
				}
				if g.Rank == 0 {
					time.Sleep(200 * time.Millisecond)
				} else {
					defer func() {
						go func() {
							<-g.left
							if took := time.Since(began); took < 200*time.Millisecond {
								t.Errorf("fails %v: rank %d left after %v", fails, g.Rank, took)
							}
						}()
					}()
				}
				return err
			})
		}
	})
}

func TestRankIsSignalled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		errs := w.run(func(ctx context.Context, g *Group) error {
			if g.Rank == 1 {
				interrupt(ctx, 15)
			}
			return wait(ctx)
		})
		w.expect(errs, "signal 15")
	})
}

// TestRankIsStopped stops each rank in turn, as SIGSTOP does. Rank 0 serves the store, so
// that nobody gets an answer once it is stopped.
func TestRankIsStopped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for rank := range 3 {
			w := newWorld(t, 3)
			again := make(chan struct{})
			var others sync.WaitGroup
			others.Add(2)
			began := time.Now()
			errs := w.run(func(ctx context.Context, g *Group) error {
				g.Doing(5, Step)
				time.Sleep(50 * time.Millisecond) // a beat or more
				if g.Rank == rank {
					for r := range 3 {
						if r == rank || rank == 0 {
							w.stopped[r].Store(&again)
						}
					}
					others.Wait()
					close(again)
					return wait(ctx)
				}
				defer others.Done()
				return wait(ctx)
			})
			want := fmt.Sprintf("rank %d on n%d has not been heard from for ", rank, 2*rank/3)
			if rank == 0 {
				want = "rank 0 on n0 is gone or stopped, and with it the store of all ranks at n0:7: no answer for "
			}
			w.expect(errs, want, rank)
			w.expect(errs, "(it was at step 5, its training step)", rank)
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("rank %d: noticed after %v", rank, took)
			}
		}
	})
}

// TestRankIsKilled: its connections break, which the others notice in a collective.
func TestRankIsKilled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		w.limits.Silence = time.Minute
		errs := w.run(func(ctx context.Context, g *Group) error {
			g.Doing(5, Step)
			time.Sleep(50 * time.Millisecond)
			if g.Rank == 2 {
				w.broken[2].Store(true)
				return nil
			}
			return g.Explain(ctx, errBroken)
		})
		w.expect(errs, "rank 2 on n1 has not been heard from for", 2)
	})
}

func TestStoreIsGone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		errs := w.run(func(ctx context.Context, g *Group) error {
			if g.Rank == 0 {
				time.Sleep(100 * time.Millisecond)
				for _, b := range w.broken {
					b.Store(true)
				}
				return nil
			}
			return wait(ctx)
		})
		w.expect(errs, "rank 0 on n0 is gone or stopped, and with it the store of all ranks at n0:7: connection reset", 0)
		for rank, err := range errs {
			if peer := (*PeerError)(nil); errors.As(err, &peer) && peer.Reports != (rank == 1) {
				t.Errorf("rank %d: reports %v", rank, peer.Reports)
			}
		}
	})
}

// TestRankStalls: its beats go on, but it makes no progress in a step.
func TestRankStalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		errs := w.run(func(ctx context.Context, g *Group) error {
			g.Doing(4, Step)
			time.Sleep(20 * time.Millisecond)
			g.Doing(4, Batch)
			if g.Rank == 1 {
				return wait(ctx) // for its batch
			}
			g.Doing(5, Step)
			return wait(ctx)
		})
		w.expect(errs, "rank 1 on n0 has made no progress for ")
		w.expect(errs, "(it was at step 4, the reading of its next batch)")
	})
}

// collectives only says whether it waits.
type collectives struct {
	Collectives
	waits bool
}

func (c collectives) Waits() bool { return c.waits }

// TestRankHangsInStep: the others wait for its gradients.
func TestRankHangsInStep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, hangs := range []int{1, -1} { // one, or the connections between all
			w := newWorld(t, 3)
			errs := w.run(func(ctx context.Context, g *Group) error {
				g.Connect(collectives{waits: g.Rank != hangs})
				g.Doing(4, Step)
				time.Sleep(20 * time.Millisecond)
				g.Doing(4, Batch)
				g.Doing(5, Step)
				return wait(ctx)
			})
			want := "rank 1 on n0 has made no progress for "
			if hangs < 0 {
				want = "and all others have made no progress for "
			}
			w.expect(errs, want)
			w.expect(errs, "(it was at step 5, its training step)")
		}
	})
}

// TestLongWorkIsNoStall: the others wait for an evaluation on rank 0.
func TestLongWorkIsNoStall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		for rank, err := range w.run(func(ctx context.Context, g *Group) error {
			g.Doing(4, Step)
			time.Sleep(20 * time.Millisecond)
			if g.Rank == 0 {
				g.Doing(4, "evaluation")
				time.Sleep(700 * time.Millisecond)
				return nil
			}
			g.Doing(5, Step)
			time.Sleep(700 * time.Millisecond)
			return nil
		}) {
			if err != nil {
				t.Errorf("rank %d: %v", rank, err)
			}
		}
	})
}

// TestRank0SavesInPeace: it is not abandoned while it saves.
func TestRank0SavesInPeace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.limits.End = 30 * time.Millisecond
		w.run(func(ctx context.Context, g *Group) error {
			if g.Rank == 1 {
				return errors.New("disk full")
			}
			err := wait(ctx)
			g.Doing(7, Save)
			time.Sleep(150 * time.Millisecond)
			return err
		})
		if err := w.abandoned.Load(); err != nil {
			t.Errorf("abandoned: %v", *err)
		}
	})
}

func TestRankIsAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.limits.End = 50 * time.Millisecond
		errs := w.run(func(ctx context.Context, g *Group) error {
			if g.Rank == 0 {
				return errors.New("disk full")
			}
			err := wait(ctx)
			for w.abandoned.Load() == nil { // it does not end
				time.Sleep(time.Millisecond)
			}
			return err
		})
		w.expect(errs, "disk full")
		if err := *w.abandoned.Load(); !strings.Contains(err.Error(), "rank 0 on n0 failed: disk full") {
			t.Error(err)
		}
	})
}
