package ranks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

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
	mine, first := g.failure(err), make(chan Failure, 1)
	_ = g.call(ctx, func() error { // without it, they miss this rank's beat
		err := g.post(g.store, mine)
		var f Failure
		if data, getErr := g.store.Get(ctx, g.key("failure"), g.opt.Limits.Broken); err == nil && getErr == nil && json.Unmarshal(data, &f) == nil {
			first <- f
		}
		return err
	})
	select {
	case f := <-first:
		if g.Rank > 0 && f.Rank != g.Rank && f.Why == mine.Why {
			g.same = &PeerError{Failure: f}
		}
	default:
	}
}

// failure returns this rank's own failure, by an error or a signal.
func (g *Group) failure(err error) Failure {
	g.mu.Lock()
	defer g.mu.Unlock()
	f := Failure{Rank: g.Rank, Host: g.Hosts[g.Rank], Step: g.now.Step, Doing: g.now.Doing, Signal: g.opt.SignalOf(err), Input: g.opt.Input(err), Why: "failed: " + firstLine(err)}
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
	soon, cancel := context.WithTimeout(context.Background(), 2*g.opt.Limits.Beat)
	defer cancel()
	_ = g.call(soon, func() error { g.watching.Wait(); return nil }) // in vain if the store does not answer
	if g.same != nil {
		return fmt.Errorf("%w (%w)", g.same, err)
	}
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
