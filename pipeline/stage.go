package pipeline

import (
	"context"

	maths "fmsr/internal/field"
	"fmsr/internal/frames"
)

// Element is what flows: frames up to the trainer, training steps after it.
// Elements are reference-counted, since they hold memory outside Go's heap.
type Element interface {
	Retain()
	Release()
	// Origin says where the element comes from, for messages: "seed 3, frame 17".
	Origin() string
}

// Frames is what flows up to the trainer, under a name for code outside fmsr.
type Frames = frames.Frames

// Meta is what a stage says, before anything flows, of the elements that it
// will send. Each stage receives its upstream neighbour's and returns its own.
type Meta struct {
	maths.Grid                      // of x_hi
	Channels   []string             // names, in order
	Frames     map[frames.Split]int // how many frames each split has
	Seeds      []Seed               // what the source will send in a single pass, in order; nil where it does not work by seeds
	Factor     int                  // fine cells per coarse cell along an axis, once x_lo exists
	Coarse     bool                 // a coarse run's own frames come along, in frames.Frames.Coarse
	Periodic   bool                 // whether x_lo's interpolation wraps around
	Files      []File               // input files, where a frame's seed is the index of its file
	Samples    int                  // elements that a model makes of each frame, one after the other; 0 above it
	Batch      int                  // frames in a full batch, once batched
	Stats      *maths.Stats         // what normalize subtracts and divides by; filled before the run starts
	Identity   string               // hash of the input files' names, sizes and times
}

// Announce adds a seed to what a source will send.
func (m *Meta) Announce(s Seed) {
	if m.Frames == nil {
		m.Frames = map[frames.Split]int{}
	}
	m.Frames[s.Split] += s.Frames
	m.Seeds = append(m.Seeds, s)
}

// Seed is a simulation whose frames a source sends one after the other.
type Seed struct {
	Seed, Frames int
	Split        frames.Split
}

// File is an input file, an array (F,H,W,C).
type File struct {
	Path       string
	F, H, W, C int
}

// Stage is one step of a flow. Beyond these two methods it implements Source,
// Processor or both (a store does); Fitter where it must see the data first.
type Stage interface {
	// Open checks what the stage will receive and says what it will send. Its
	// errors are the user's input being wrong: nothing has been done yet.
	Open(ctx context.Context, env *Env, in Meta) (Meta, error)
	// Close frees what Open and the run acquired. It is called exactly once
	// after a successful Open, when no other method is running.
	Close() error
}

// Pass says how often a source sends its frames.
type Pass int

// The two passes: everything once and in order (fitting, export, reports), or
// validation frames once and then training frames for ever (training).
const (
	Once Pass = iota
	Endless
)

// Source starts a flow. Emit sends elements until they end or send fails, and
// returns send's error as it is. Sent elements are the receiver's.
type Source interface {
	Stage
	Emit(ctx context.Context, pass Pass, send func(Element) error) error
}

// Processor is a stage with elements coming in. It borrows its input, which
// the pipeline releases, and owns its outputs until it returns them; to pass
// an element on it retains it.
type Processor interface {
	Stage
	Process(ctx context.Context, in Element) ([]Element, error)
}

// Flusher is a Processor that holds elements back. Flush is called once, when
// no more will come.
type Flusher interface {
	Flush(ctx context.Context) ([]Element, error)
}

// Fitter is a stage that must see the training data before the run (the
// normalizer its mean and deviation, the evaluator its linear filter). The
// result is kept under a key of everything that it depends on and reused.
type Fitter interface {
	Stage
	// FitKey returns the part of the configuration that the result depends on;
	// nil when nothing is to be fitted.
	FitKey() any
	// Fit takes one element of the chain above; enough ends the pass early.
	Fit(ctx context.Context, in Element) (enough bool, err error)
	// Fitted returns the result, which encoding/json must carry exactly.
	Fitted() (any, error)
	// Restore installs a result as Fitted gave it, encoded by encoding/json.
	Restore(data []byte) error
}

// Picker is a source that can leave seeds out.
type Picker interface {
	Source
	// Pick has the run itself, unlike the passes that fill and fit, send only
	// the seeds for which want is true.
	Pick(want func(seed int) bool)
}

// Keeper is a stage that keeps a result for each seed, so that a run which was
// stopped goes on where it was, and several runs can share the work.
type Keeper interface {
	Stage
	// Resume takes stock, before the run itself, of what earlier runs under the
	// same key have left. It returns the seeds whose results are whole: they are
	// not sent again. key covers what Store's does, and the stage's own config.
	Resume(ctx context.Context, key string) (finished map[int]bool, err error)
}

// Resumer is the stage whose checkpoints a run resumes from: the trainer.
type Resumer interface {
	Stage
	// ResumeFrom makes the run continue from a checkpoint. It is called once, when
	// every stage has been opened and nothing has been done yet, and returns what
	// the earlier run has done. Its errors are the user's input being wrong.
	ResumeFrom(checkpoint string) (Done, error)
}

// Done is what an earlier run has done, which a run that resumes does not repeat.
type Done struct {
	Steps  int // logs of steps up to this one stay, logs of later steps are dropped
	Frames int // training frames that are used up: the source skips them
}

// Starter is a stage with something to do right before the run itself, when what
// comes before has gone well: what it replaces must not be lost to a run that
// cannot begin.
type Starter interface {
	Stage
	Start() error
}

// Fuser is a Processor that can do the work of the stages right above it too,
// in one pass over memory, with the same result.
type Fuser interface {
	Processor
	// Fuse is offered the stages above, the nearest last, once everything is
	// opened and fitted. It returns how many it takes over, counted from the
	// nearest: what would have reached them reaches the Fuser instead.
	Fuse(above []Stage) int
}

// FitFuser is a Fitter whose Fit can do the work of the stages right above it.
type FitFuser interface {
	Fitter
	// FuseFit is for the pass that fits what Fuse is for the run.
	FuseFit(above []Stage) int
}

// Store is a stage that keeps what reaches it and is from then on the flow's
// source in place of the chain above.
type Store interface {
	Source
	// Ready reports whether a whole, undamaged copy under this key is there.
	Ready(ctx context.Context, key string) (bool, error)
	// Write adds an element to the copy being made; Commit makes it the one
	// that Emit reads; Abort removes what was written.
	Write(ctx context.Context, in Element) error
	Commit(ctx context.Context) error
	Abort()
}

// Declaration is everything that fmsr knows of a stage. Parsing, lint, list,
// describe, the flags of `fmsr run`, the schema and the wiring all read it.
type Declaration struct {
	Name string
	// Doc starts with a sentence that stands alone in `fmsr list`; the rest,
	// the marble picture included, is for `fmsr describe`.
	Doc  string
	Link Link
	// Config returns a pointer to a new config struct holding the defaults. Its
	// fields carry `yaml`, `doc` and, where `fmsr run` has a flag for them,
	// `flag` tags; `path:"file"` marks paths, resolved against the spec's folder.
	// The struct may implement Validator.
	Config func() any
	// New makes the stage from the pointer that Config returned.
	New func(config any) Stage
}

// Validator is implemented by configs whose values can be wrong in ways that
// their types don't show. run is the flow's run section.
type Validator interface {
	Validate(run *Run, report func(key, format string, args ...any))
}
