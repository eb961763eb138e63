// Package stages holds the stages of a flow, each in the file of its name; parts of a
// large one are in NAME_*.go. The other files are shared by several stages.
//
// A stage is a typed config with its defaults, a declaration that registers it under
// its name, and the work. Open checks the Meta of the elements that it will receive and
// returns the Meta of the elements that it will send. Process takes one element and
// returns the elements made of it. It borrows its input, which the pipeline releases,
// and owns its outputs until it returns them. A stage that passes its input on retains
// it.
//
//	npy_load -> channel_select -> arrow_cache -> pool_upsample -> normalize -> batch -> train -> ema -> sinks
//	stored      planar            replayed       paired           normalized   batched  steps
//
// Other sources skip the stages that their frames do not need, and any sink that takes
// frames can end a flow:
//
//	synth        stored frames of random fields      -> channel_select, or layout_save
//	pair_load    x_hi and x_lo of two runs           -> arrow_cache, or export
//	arrow_load   x_hi and x_lo of an exported set    -> normalize
//	files_load   coarse frames -> superres           -> project, compare, files_save
//
// A new stage is one new file here: copy a short one, such as channel_select.go, and
// see ExampleRegister in package pipeline.
package stages
