package ranks

import (
	"fmt"
	"strings"
	"time"
)

// Failure is how a rank failed. The first one of a run is in the store, for all to read.
type Failure struct {
	Rank   int
	Host   string
	Step   int    // that it was at; 0: none yet
	Doing  string // what it was doing; empty: not known
	Signal int    // the signal that ends the run, which this rank was sent; 0: none
	Lost   bool   // the rank is gone or does not answer
	Input  bool   // the rank's input is at fault
	Why    string // "failed: disk full", "has not been heard from for 15s"
}

// PeerError is the error of a rank that ends because another one has failed.
type PeerError struct {
	Failure
	Reports bool // this rank is the one to print it
}

func (e *PeerError) Error() string {
	at := e.Doing
	if e.Step > 0 {
		at = strings.TrimSuffix(fmt.Sprintf("step %d, %s", e.Step, e.Doing), ", ")
	}
	if at != "" {
		at = " (it was at " + at + ")"
	}
	return fmt.Sprintf("rank %d on %s %s%s: this run ends", e.Rank, e.Host, e.Why, at)
}

// beat is what a rank says of itself every second.
type beat struct {
	N     int // of the beat
	Step  int
	Doing string
	Waits bool    // for other ranks
	For   float64 // seconds that it has been doing this
}

// quick reports whether this must not take much longer than it usually does.
func (b beat) quick() bool { return b.Doing == Step || b.Doing == Batch }

// behind reports whether a rank is behind another one, which then waits for it.
func (b beat) behind(other beat) bool {
	switch {
	case b.Step != other.Step:
		return b.Step < other.Step
	case b.Waits != other.Waits:
		return other.Waits
	default:
		return b.Doing != Step && other.Doing == Step
	}
}

// failure returns the failure of a rank that was last heard from by this beat.
func (b beat) failure(rank int, host, why string, args ...any) Failure {
	return Failure{Rank: rank, Host: host, Step: b.Step, Doing: b.Doing, Lost: true, Why: fmt.Sprintf(why, args...)}
}

// seen is the newest beat of another rank.
type seen struct {
	beat
	old time.Duration // how long it has been the newest
}

// Limits are how long ranks wait for each other.
type Limits struct {
	Beat    time.Duration // between beats
	Silence time.Duration // without a beat, after which a rank is lost
	Broken  time.Duration // the same where a connection has broken
	Stall   time.Duration // in a step for which others wait; five times the longest step if that is more
	Work    time.Duration // in slower work for which others wait
	Arrive  time.Duration // until all ranks have come
	Notice  time.Duration // until rank 0 says what it waits for before the run
	End     time.Duration // after a failure: then the process is abandoned
}

// Usual are the limits of a run.
var Usual = Limits{
	Beat: time.Second, Silence: 15 * time.Second, Broken: 3 * time.Second, Stall: 15 * time.Second, Work: 2 * time.Hour,
	Arrive: 10 * time.Minute, Notice: 10 * time.Second, End: 12 * time.Second,
}
