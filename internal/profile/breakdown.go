package profile

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// breakdown is the time of the watched steps by its use. The parts add up to the wall
// time, the ops to the share of it that the leader's thread was busy.
type breakdown struct {
	steps int
	wall  time.Duration // without apart
	parts [partCount]time.Duration
	apart time.Duration // of the stages below the leader without the moving average: evaluation, sinks
	kinds []opTime
}

// The parts of a step, in the order of the table.
const (
	forward = iota
	backward
	optimizer
	average
	waiting
	other
	partCount
)

var partNames = [partCount]string{"forward", "backward", "optimizer", "EMA", "wait for data", "other"}

// partOf returns the part of a step that an op without a parent belongs to.
func partOf(name string) int {
	if part := slices.Index([]string{"forward", "backward", "optimizer", "ema"}, name); part >= 0 {
		return part
	}
	return other
}

// opTime is the time of an op without the ops that it calls, or of a kind of ops.
type opTime struct {
	name  string
	calls int
	self  time.Duration
	ops   []opTime // of a kind
}

// breakdown compares the stages' spans with the ops'. Between two pieces of the
// leader's work, the stages below work on its element; then, if the next element has
// not arrived, the leader waits for it.
func (w *watched) breakdown(leader int) breakdown {
	b := breakdown{steps: w.steps, wall: w.ended.Sub(w.began)}
	var own, below []stageSpan
	for _, s := range w.stages {
		switch {
		case s.stage == leader:
			own = append(own, s)
		case s.stage > leader:
			below = append(below, s)
		}
	}
	slices.SortFunc(below, func(a, b stageSpan) int { return a.begin.Compare(b.begin) })
	for i, s := range own {
		next, arrived := w.ended, w.ended
		if i+1 < len(own) {
			next = own[i+1].begin
		}
		if i < len(w.arrivals) {
			arrived = w.arrivals[i]
		}
		free := s.end // from here on only the next element is missing
		for _, s := range below {
			begin, end := later(free, s.begin), s.end
			if end.After(next) {
				end = next
			}
			if end.After(begin) {
				b.apart += end.Sub(begin)
				free = end
			}
		}
		b.parts[waiting] += max(0, arrived.Sub(free))
	}
	counted := make([]bool, len(w.ops))
	for i, op := range w.ops {
		if op.Parent >= 0 {
			counted[i] = counted[op.Parent]
			continue
		}
		part := partOf(op.Name)
		at := sort.Search(len(own), func(k int) bool { return own[k].end.After(op.Begin) })
		inside := at < len(own) && !op.Begin.Before(own[at].begin)
		if counted[i] = inside || part == average; !counted[i] {
			continue
		}
		b.parts[part] += op.End.Sub(op.Begin)
		if !inside {
			b.apart -= op.End.Sub(op.Begin)
		}
	}
	b.apart = max(0, b.apart)
	b.wall -= b.apart
	b.parts[other] = b.wall
	for _, part := range b.parts[:other] {
		b.parts[other] -= part
	}
	b.kinds = opTimes(w.ops, counted)
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// opTimes adds up the ops that count, by kind and name, the longest first.
func opTimes(ops []Op, counted []bool) []opTime {
	type place struct{ kind, name string }
	places := make([]place, len(ops))
	sums := map[place]*opTime{} // a kind's own has no name
	sum := func(p place) *opTime {
		if sums[p] == nil {
			sums[p] = &opTime{name: cmp.Or(p.name, p.kind)}
		}
		return sums[p]
	}
	for i, op := range ops {
		if !counted[i] {
			continue
		}
		took, above := op.End.Sub(op.Begin), place{}
		if op.Parent >= 0 {
			above = places[op.Parent]
			sum(above).self -= took
			sum(place{kind: above.kind}).self -= took
		}
		name := shortName(op.Name)
		at := place{cmp.Or(kindOf(name), above.kind, "other"), name}
		if above.kind == updates {
			at.kind = updates
		}
		places[i] = at
		sum(at).self += took
		sum(place{kind: at.kind}).self += took
		if at != above { // not a step of the same op
			sum(at).calls++
		}
		if at.kind != above.kind {
			sum(place{kind: at.kind}).calls++
		}
	}
	longest := func(a, b opTime) int { return cmp.Or(cmp.Compare(b.self, a.self), strings.Compare(a.name, b.name)) }
	var kinds []opTime
	for p, kind := range sums {
		if p.name != "" {
			continue
		}
		for q, op := range sums {
			if q.kind == p.kind && q.name != "" {
				kind.ops = append(kind.ops, *op)
			}
		}
		slices.SortFunc(kind.ops, longest)
		kinds = append(kinds, *kind)
	}
	slices.SortFunc(kinds, longest)
	return kinds
}

// write writes the table, with the ops that take at least a hundredth of the step.
func (b breakdown) write(w io.Writer, unit string) {
	steps := float64(b.steps)
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / b.wall.Seconds() }
	var table bytes.Buffer                             // for one write: a tabwriter writes every cell by itself, and other ranks write to the same file
	tw := tabwriter.NewWriter(&table, 0, 0, 1, ' ', 0) // aligns the names; the figures' width is fixed
	fmt.Fprintf(tw, "part\t%10s %8s\n", "s/"+unit, "share")
	for part, d := range b.parts {
		fmt.Fprintf(tw, "%s\t%10.4f %7.1f%%\n", partNames[part], d.Seconds()/steps, share(d))
	}
	fmt.Fprintf(tw, "all\t%10.4f %7.1f%%\n", b.wall.Seconds()/steps, 100.0)
	if share(b.apart) >= 1 {
		fmt.Fprintf(tw, "evaluation and sinks, apart from these\t%10.4f\n", b.apart.Seconds()/steps)
	}
	fmt.Fprintf(tw, "\t\noperation\t%10s %10s %8s\n", "calls/"+unit, "ms/"+unit, "share")
	line := func(name string, op opTime) {
		fmt.Fprintf(tw, "%s\t%10.1f %10.2f %7.1f%%\n", name, float64(op.calls)/steps, 1e3*op.self.Seconds()/steps, share(op.self))
	}
	for _, kind := range b.kinds {
		line(kind.name, kind)
		for _, op := range kind.ops {
			if share(op.self) >= 1 && len(kind.ops) > 1 {
				line("  "+op.name, op)
			}
		}
	}
	tw.Flush()
	_, _ = table.WriteTo(w)
}
