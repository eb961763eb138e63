// Package pipeline makes a run of a spec: stages, by name, connected in order.
//
//	spec.yaml, --set, flags --Parse--> Spec: a typed config for each stage of the flow
//	                                     |   every problem a Diagnostic with its place
//	                                     v
//	Open each -> fill stores -> fit -> run: source -> stage -> ... -> sink, on go-streams
//
// A stage registers a Declaration: what decoding, linting, fmsr list and the
// linking of neighbours know of it. Its work is a Stage, which with Source,
// Processor, Store, Fitter and the other interfaces of stage.go says what it takes
// part in. The package knows no stage by name, and nothing of models.
package pipeline
