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
// A stage registers a Declaration. Decoding, lint, fmsr list, fmsr describe, the
// schema, the flags and the linking of neighbours all read it. Package spec is the
// language of specs. This package knows what a stage is, how stages connect and how a
// run proceeds. It knows no stage by name, and nothing of models.
//
// A stage does its work through the interfaces that its type implements. Execute
// calls them in this order:
//
//	interface   method                           when                               goroutine
//	---------   ------                           ----                               ---------
//	Stepper     Steps                            with --profile, before Open        Execute's
//	Resumer     ResumeFiles, ResumeSpec          before Open, and before Start      Execute's
//	            ResumeFrom                       once every stage is open           Execute's
//	Stage       Open                             once, from the source down         Execute's
//	Reader      Reads                            once every stage is open           Execute's
//	Writer      Writes                           once every stage is open           Execute's
//	Fitter      FitKey, Fit, Fitted, Restore     before the run, from the source    Execute's
//	FitFuser    FuseFit                          before the pass that calls Fit     Execute's
//	Store       Ready, Write, Commit, Abort      before the run, from the source    Execute's
//	Keeper      Resume                           once the stores are filled         Execute's
//	Picker      Pick                             after every Keeper's Resume        Execute's
//	Preparer    Prepare                          after every Picker's Pick          Execute's
//	Starter     Start                            right before the run               Execute's
//	Fuser       Fuse                             right before the run, sinks first  Execute's
//	Source      Emit                             in each pass                       one of its own
//	Processor   Process                          for each element of a pass         one of its own
//	Flusher     Flush                            after a pass's last element        Process's
//	Stage       Close                            once, from the last stage up       Execute's
//	Planner     Plan                             after Open, in place of the run    the caller's of Plan
//	Rehearser   Rehearse                         in a dry run, for some frames      the caller's of DryRun
//	Forecaster  Forecast                         at the end of a dry run            the caller's of DryRun
//
// Several processes, the ranks, can run one training spec together (Env.Ranks). Each
// executes the whole flow, with its own rows of each training batch. Rank 0 leads: it
// decides what is resumed, fits for all, and alone has a folder and the stages that only
// write. Before the run, all compare what they have found.
//
// A pass is one time through the flow or a part of it: to fill a store, to fit, or to
// run. During a pass one goroutine calls a stage's Process, one call at a time, and no
// other method of the stage runs. Validator, Adviser and FlowAdviser are interfaces of
// configs, which are called when the spec is parsed.
//
// A stage may be in another Go module: docs/library.md. Package stagetest tests one.
package pipeline
