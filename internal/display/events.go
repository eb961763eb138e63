package display

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"fmsr.example/fmsr/internal/hostmem"
)

// Events is a Display for another process that shows this one: what was written to it stays
// lines, and what the run does goes to Receive as JSON.
type Events struct {
	io.Writer
	*sender
}

// sender sends an event when something else is done, and now and then how far it is.
type sender struct {
	to   *json.Encoder
	sent Work
	at   time.Time
}

// Event is what a process says of itself.
type Event struct {
	Work     Work
	Resident int64 // bytes of memory
}

// NewEvents returns a Display whose events go to a pipe. That its reader has gone is no error.
func NewEvents(lines io.Writer, events io.Writer) Events {
	return Events{lines, &sender{to: json.NewEncoder(events)}}
}

// sendEvery is how long the same work goes on without an event.
const sendEvery = 200 * time.Millisecond

// Work sends an event.
func (s *sender) Work(w Work) {
	if w.Name == s.sent.Name && w.Done != w.Total && time.Since(s.at) < sendEvery {
		return
	}
	s.sent, s.at = w, time.Now()
	_ = s.to.Encode(Event{w, hostmem.Resident()})
}

// Part shows nothing.
func (*sender) Part(Work) {}

// Piece shows nothing: Work has the number of frames.
func (*sender) Piece(Work) {}

// Step shows nothing: what trains has other displays.
func (*sender) Step(Step) {}

// Evaluated shows nothing.
func (*sender) Evaluated(Evaluation) {}

// Flow shows nothing.
func (*sender) Flow(func() []Stage) {}

// Account shows nothing.
func (*sender) Account([]Stage) {}

// Receive calls show with each event until the sender has ended.
func Receive(events io.Reader, show func(Event)) error {
	for from := json.NewDecoder(events); ; {
		var e Event
		if err := from.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		show(e)
	}
}

// Join returns what several processes do: that which most of them do, and how much of it is
// done by all of those.
func Join(all []Work) (joined Work) {
	count := map[string]int{}
	for _, w := range all {
		if w.Name != "" { // else it has not begun
			count[w.Name]++
		}
	}
	for _, w := range all {
		switch {
		case w.Name == joined.Name:
			joined.Done, joined.Total = joined.Done+w.Done, joined.Total+w.Total
		case count[w.Name] > count[joined.Name]:
			joined = w
		}
	}
	return joined
}
