package torchx

// #include <stdlib.h>
// #include "csrc/fx.h"
import "C"

import (
	"context"
	"errors"
	"time"
	"unsafe"
)

// Span is the time of one op on a Thread: an op of libtorch ("aten::add"), a node
// of a backward pass, an op of a Scope, or a Part.
type Span struct {
	Name       string
	Begin, End time.Time
	Parent     int // index of the enclosing span; -1 if there is none
}

// Part runs f and, while a recording is on, records it as a span of that name.
func (s *Scope) Part(name string, f func()) {
	s.enter(name)
	defer s.leave()
	f()
}

func (s *Scope) enter(name string) {
	if s.recording == nil {
		return
	}
	text := C.CString(name)
	C.fx_enter(s.recording, text)
	C.free(unsafe.Pointer(text))
}

func (s *Scope) leave() {
	if s.recording != nil {
		C.fx_leave(s.recording)
	}
}

// Record starts a recording of all ops in later calls of Do.
func (t *Thread) Record(ctx context.Context) error {
	return t.Do(ctx, func(*Scope) error {
		for tries := 1; ; tries++ {
			before := time.Now()
			if err := check(C.fx_record(&t.recording)); err != nil {
				return err
			}
			t.began = time.Now()
			if t.began.Sub(before) < 100*time.Microsecond || tries == 100 { // else the two clocks may differ by what came between them
				return nil
			}
			if _, err := t.endRecording(); err != nil {
				return err
			}
		}
	})
}

// Recorded ends the recording and returns its spans in the order of their starts.
func (t *Thread) Recorded(ctx context.Context) (spans []Span, err error) {
	err = t.Do(ctx, func(*Scope) error {
		spans, err = t.endRecording()
		return err
	})
	return spans, err
}

var errNotRecorded = errors.New("torch thread: nothing is recorded")

// endRecording must run on the thread.
func (t *Thread) endRecording() ([]Span, error) {
	if t.recording == nil {
		return nil, errNotRecorded
	}
	var r C.fx_recorded
	if err := check(C.fx_record_end(t.recording, &r)); err != nil {
		return nil, err
	}
	defer func() {
		C.fx_record_free(t.recording)
		t.recording = nil
	}()
	names := map[C.int32_t]string{}
	spans := make([]Span, r.n)
	for i, s := range unsafe.Slice(r.spans, r.n) {
		name, known := names[s.name]
		if !known {
			name = C.GoString(unsafe.Slice(r.names, s.name+1)[s.name])
			names[s.name] = name
		}
		at := func(ns C.int64_t) time.Time { return t.began.Add(time.Duration(ns)) }
		spans[i] = Span{Name: name, Begin: at(s.begin), End: at(s.end), Parent: int(s.parent)}
	}
	return spans, nil
}
