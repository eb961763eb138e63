// Package sinks holds the stages at a flow's end, one file each: those that
// look at the model at a step and those that write what was found.
//
//	steps -> eval --(step.Eval: scalars, pictures)--> metrics -> images -> report
//
// Every sink passes the step on, so that any of them can be left out or added.
package sinks
