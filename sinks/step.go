package sinks

import (
	"context"

	"fmsr/model"
	"fmsr/pipeline"
)

// stepSink is the common part of sinks of evaluated steps. A sink embeds it, and sets
// on in Open.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [       on(step 100)           ]
//	steps   -- 1 -- ... -- 100 ------------
type stepSink struct{ on func(step *model.Step) error }

// Process calls on with a step that was evaluated, and passes every step on.
func (s *stepSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		if err := s.on(step); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// Close has nothing to free.
func (s *stepSink) Close() error { return nil }
