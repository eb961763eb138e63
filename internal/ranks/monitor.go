package ranks

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"
)

// monitor writes a rank's beats and watches those of others.
type monitor struct {
	g        *Group
	store    Store
	n        int
	last     time.Time     // of the last look at the peers
	peers    map[int]*seen // by rank
	answered atomic.Int64  // when the store answered last
	stopped  atomic.Int64  // how long this process itself was stopped, if it was
	woke     atomic.Int64  // when it went on
}

// beats runs until the rank leaves, or another one fails.
func (m *monitor) beats() {
	g := m.g
	defer g.watching.Done()
	ended := g.ctx.Done()
	for tick := time.NewTicker(g.opt.Limits.Beat); ; {
		if err := m.once(); err != nil && !g.over() {
			m.storeGone(err)
			return
		}
		m.answered.Store(time.Now().UnixNano())
		select {
		case <-g.left:
			tick.Stop()
			return
		case <-ended:
			ended = nil // from now on the rank is on its way out, and still alive
			if cause := context.Cause(g.ctx); g.opt.SignalOf(cause) != 0 {
				_ = g.post(m.store, g.failure(cause))
			}
		case <-g.hurry:
			tick.Reset(g.opt.Limits.Beat / 10)
		case <-tick.C:
		}
	}
}

// over reports whether the run has ended, on this rank at least.
func (g *Group) over() bool {
	select {
	case <-g.left:
		return true
	default:
		return g.ctx.Err() != nil
	}
}

// once writes a beat and looks for failures. The error is the store's.
func (m *monitor) once() error {
	g := m.g
	m.n++
	passed := m.passed()
	g.mu.Lock()
	mine, suspect, longest := g.now, g.suspect, g.longest
	mine.N, mine.For = m.n, time.Since(g.since).Seconds()
	mine.Waits = mine.Waits || g.Collectives != nil && g.Collectives.Waits()
	g.mu.Unlock()
	data, err := json.Marshal(mine)
	if err == nil {
		err = m.store.Set(g.key("beat/%d", g.Rank), data)
	}
	if err != nil || g.ctx.Err() != nil {
		return err
	}
	failed, err := m.store.Has(g.key("failure"))
	if err == nil && failed {
		err = m.read()
	}
	if err != nil || failed {
		return err
	}
	stall := max(g.opt.Limits.Stall, 5*longest)
	if longest == 0 { // libtorch makes its kernels in the first step
		stall = g.opt.Limits.Work
	}
	if waits := mine.Waits || mine.Doing == Step; suspect || waits && mine.For > stall.Seconds() {
		return m.lookAtAll(mine, suspect, stall, passed)
	}
	next := (g.Rank + 1) % g.Size
	if lost, err := m.lost(next, g.opt.Limits.Silence, passed); lost || err != nil || next == 0 || g.Rank == 0 {
		return err
	}
	_, err = m.lost(0, g.opt.Limits.Silence, passed)
	return err
}

// passed returns the time since the last look at the peers, in which they could be heard.
func (m *monitor) passed() time.Duration {
	now := time.Now()
	passed := now.Sub(m.last)
	if !m.last.IsZero() && passed > m.g.opt.Limits.Silence {
		m.stopped.Store(int64(passed))
		m.woke.Store(now.UnixNano())
	}
	m.last = now
	return min(passed, 2*m.g.opt.Limits.Beat)
}

// read ends the run by the failure that is written down.
func (m *monitor) read() error {
	data, err := m.store.Get(m.g.ctx, m.g.key("failure"), m.g.opt.Limits.Silence)
	var f Failure
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err == nil && (f.Rank != m.g.Rank || f.Lost) { // else the rank knows
		m.end(f)
	}
	return err
}

// lookAtAll looks for a rank that is lost or, if this one waits, for the one that it waits
// for.
func (m *monitor) lookAtAll(mine beat, suspect bool, stall, passed time.Duration) error {
	g := m.g
	silence := g.opt.Limits.Silence
	if suspect {
		silence = g.opt.Limits.Broken
	}
	last, who := mine, g.Rank
	for i := 1; i < g.Size; i++ {
		r := (g.Rank + i) % g.Size
		if lost, err := m.lost(r, silence, passed); lost || err != nil {
			return err
		}
		if b := m.peers[r].beat; b.behind(last) {
			last, who = b, r
		}
	}
	limit := g.opt.Limits.Work
	if last.quick() {
		limit = stall
	}
	switch {
	case last.For < limit.Seconds():
		return nil
	case who == g.Rank: // nobody is behind
		if last.For < 2*limit.Seconds() {
			return nil
		}
		return m.found(last.failure(who, g.Hosts[who], "and all others have made no progress for %v: they wait for each other", time.Duration(last.For)*time.Second))
	}
	return m.found(last.failure(who, g.Hosts[who], "has made no progress for %v, and the others wait for it", time.Duration(last.For)*time.Second))
}

// lost looks at the beat of a rank, some time after the last look, and reports whether the
// rank has been silent for too long. That ends the run.
func (m *monitor) lost(rank int, silence, passed time.Duration) (bool, error) {
	p := m.peers[rank]
	if p == nil {
		p = &seen{}
		m.peers[rank] = p
	}
	var b beat
	key := m.g.key("beat/%d", rank)
	there, err := m.store.Has(key)
	if there {
		var data []byte
		if data, err = m.store.Get(m.g.ctx, key, m.g.opt.Limits.Silence); err == nil {
			err = json.Unmarshal(data, &b)
		}
	}
	if err != nil {
		return false, err
	}
	if p.old += passed; b.N != p.N {
		p.beat, p.old = b, 0
	}
	if p.old <= silence {
		return false, nil
	}
	return true, m.found(p.failure(rank, m.g.Hosts[rank], "has not been heard from for %v", p.old.Round(time.Second)))
}

// found writes a failure down and ends the run by the one that is written down first.
func (m *monitor) found(f Failure) error {
	if err := m.g.post(m.store, f); err != nil {
		return err
	}
	return m.read()
}

// end ends this rank because of a failure, and abandons the process if it then does not
// end by itself.
func (m *monitor) end(f Failure) {
	g := m.g
	if f.Lost && time.Since(time.Unix(0, m.woke.Load())) < 2*g.opt.Limits.Silence {
		stopped := time.Duration(m.stopped.Load()).Round(time.Second)
		f = Failure{Rank: g.Rank, Host: g.Hosts[g.Rank], Why: fmt.Sprintf("was stopped for %v, and the others have ended without it", stopped)}
	}
	reporter := 0
	if f.Rank == 0 && f.Lost {
		reporter = 1
	}
	var err error = &PeerError{Failure: f, Reports: g.Rank == reporter || g.Rank == f.Rank}
	if f.Signal != 0 {
		err = g.opt.Signal(f.Signal)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.abandon == nil {
		g.abandonAfter(g.opt.Limits.End, err)
		g.cancel(err)
	}
}

// storeGone ends this rank because the store cannot be reached.
func (m *monitor) storeGone(err error) {
	g := m.g
	if g.Agent {
		m.end(Failure{Rank: g.Rank, Host: g.Hosts[g.Rank], Lost: true, Why: fmt.Sprintf("cannot reach the launcher's store at %s: %v", g.Address(), err)})
		return
	}
	last := &seen{}
	if p := m.peers[0]; p != nil {
		last = p
	}
	m.end(last.failure(0, g.Hosts[0], "is gone or stopped, and with it the store of all ranks at %s: %v", g.Address(), err))
}

// watchStore ends this rank if the store does not answer: its process is stopped, or the
// network is cut.
func (m *monitor) watchStore() {
	g := m.g
	defer g.watching.Done()
	tick := time.NewTicker(g.opt.Limits.Beat)
	defer tick.Stop()
	silent := time.Duration(0)
	for last := time.Now(); ; {
		select {
		case <-g.left:
			return
		case <-tick.C:
		}
		if answered := time.Unix(0, m.answered.Load()); answered.After(last) {
			silent, last = 0, answered
			continue
		}
		if silent += g.opt.Limits.Beat; silent > g.opt.Limits.Silence && !g.over() {
			m.storeGone(fmt.Errorf("no answer for %v", silent.Round(time.Second)))
			return
		}
	}
}
