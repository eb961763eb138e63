// Package pipeline makes a run of a spec: stages, by name, connected in order.
//
//	spec.yaml, --set, flags --spec.Read--> names and keys
//	                                          |  Parse: the registry's configs, link
//	                                          v
//	                             Spec: a typed config for each stage of the flow
//	                                          |  Execute
//	                                          v
//	Open each -> fill stores -> fit -> run: source -> stage -> ... -> sink, on go-streams
//
// A stage registers a Declaration. Decoding, lint, fmsr list, describe and schema,
// the flags and the linking of neighbours read it. The language of specs is package
// spec; this package knows what a stage is, how stages connect and how a run goes,
// no stage by name, and nothing of models.
//
// A stage does its work through the interfaces that its type implements. Execute
// calls them in this order:
//
//	interface   method                           when                               goroutine
//	---------   ------                           ----                               ---------
//	Stepper     Steps                            with --profile, before Open        Execute's
//	Resumer     ResumeFiles                      before Open, and before Start      Execute's
//	            ResumeFrom                       once every stage is open           Execute's
//	Stage       Open                             once, from the source down         Execute's
//	Fitter      FitKey, Fit, Fitted, Restore     before the run, from the source    Execute's
//	FitFuser    FuseFit                          before the pass that calls Fit     Execute's
//	Store       Ready, Write, Commit, Abort      before the run, from the source    Execute's
//	Keeper      Resume                           once the stores are filled         Execute's
//	Picker      Pick                             after every Keeper's Resume        Execute's
//	Starter     Start                            right before the run               Execute's
//	Fuser       Fuse                             right before the run, sinks first  Execute's
//	Source      Emit                             in each pass                       one of its own
//	Processor   Process                          for each element of a pass         one of its own
//	Flusher     Flush                            after a pass's last element        Process's
//	Stage       Close                            once, from the last stage up       Execute's
//
// A pass is one time through the flow or a part of it: to fill a store, to fit, and
// the run itself. In a pass, a stage's Process is called by one goroutine and never
// twice at once, and no other method of the stage is. Configs take part before: a
// Validator and an Adviser when the spec is parsed.
package pipeline
