package sinks

import (
	"fmsr/model"
	"fmsr/pipeline"
)

// ifEvaluated calls write with a training step that eval has measured, and passes
// every step on: the Process of a sink that keeps evaluations.
func ifEvaluated(in pipeline.Element, write func(*model.Step) error) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		if err := write(step); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}
