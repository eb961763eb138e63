package profile

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"fmsr.example/fmsr/internal/store/atomicfile"
)

// traceEvent is an event of the trace-event format: ph is X for a span, M for a
// track's name; ts and dur are microseconds.
type traceEvent struct {
	Name string            `json:"name"`
	Cat  string            `json:"cat,omitempty"`
	Ph   string            `json:"ph"`
	Ts   float64           `json:"ts"`
	Dur  float64           `json:"dur"`
	Pid  int               `json:"pid"`
	Tid  int               `json:"tid"`
	Args map[string]string `json:"args,omitempty"`
}

// writeTrace writes a track for each stage, in the flow's order, and one for the
// leader's thread, whose spans nest.
func writeTrace(path string, tracks []string, w *watched) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	buffer := bufio.NewWriter(f)
	if err := encodeTrace(buffer, tracks, w); err != nil {
		return err
	}
	if err := buffer.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

func encodeTrace(out io.Writer, tracks []string, w *watched) error {
	if _, err := io.WriteString(out, `{"displayTimeUnit":"ms","traceEvents":[`); err != nil {
		return err
	}
	first := true
	event := func(e traceEvent) error {
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if !first {
			line = append([]byte(","), line...)
		}
		first = false
		_, err = out.Write(append([]byte("\n"), line...))
		return err
	}
	span := func(name, kind string, track int, begin, end time.Time) error {
		return event(traceEvent{Name: name, Cat: kind, Ph: "X", Ts: micros(begin.Sub(w.began)), Dur: micros(end.Sub(begin)), Pid: 1, Tid: track + 1})
	}
	for i, name := range append(tracks[:len(tracks):len(tracks)], "torch thread") {
		if err := event(traceEvent{Name: "thread_name", Ph: "M", Pid: 1, Tid: i + 1, Args: map[string]string{"name": name}}); err != nil {
			return err
		}
	}
	for _, s := range w.stages {
		if err := span(tracks[s.stage], "stage", s.stage, s.begin, s.end); err != nil {
			return err
		}
	}
	for _, op := range w.ops {
		if err := span(shortName(op.Name), "op", len(tracks), op.Begin, op.End); err != nil {
			return err
		}
	}
	_, err := io.WriteString(out, "\n]}\n")
	return err
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
