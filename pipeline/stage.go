package pipeline

import (
	"context"
	"encoding/json"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
)

// Element is what flows: frames above the trainer, training steps below it.
// Elements are reference-counted, since they hold memory outside Go's heap.
type Element interface {
	Retain()
	Release()
	// Origin names where the element comes from, for messages: "seed 3, frame 17".
	Origin() string
}

// Meta describes the elements that a stage will send, before anything flows. Each
// stage receives the Meta of the stage above it and returns its own.
type Meta struct {
	field.Grid                       // of x_hi
	Channels    []string             // names, in order
	Frames      map[frames.Split]int // how many frames each split has
	Seeds       []Seed               // what the source will send in a single pass, in order; nil where it does not work by seeds
	Factor      int                  // fine cells per coarse cell along an axis, once x_lo exists
	Coarse      bool                 // a coarse run's own frames come along, in frames.Frames.Coarse
	Periodic    bool                 // whether x_lo's interpolation wraps around
	Files       []File               // input files, where a frame's seed is the index of its file
	Samples     int                  // elements that a model makes of each frame, one after the other; 0 above it
	Batch       int                  // frames in a full batch, once batched
	Stats       *field.Stats         // mean and deviation that normalize uses; filled before the run starts
	Trained     *field.Stats         // of the training set of the model that made the elements; nil above it
	Watch       *Watch               // of the model that made the elements; nil: it cannot be watched
	Filters     []*field.Linear      // the linear filter of each normalized field, fitted to the training set; filled before the run starts; nil: none
	Objective   string               // that this model was trained for; empty above it
	Constraints field.Constraints    // that x_hi satisfies
	Lossy       dataset.Lossy        // fields that a stage must refuse to use
	Identity    string               // hash of the input files' names and stamps (package infile); below a model hash of the model, and Files have their own

	// Digests is a hash of the values of each split's frames, in their order, or nil where no
	// stage stores them. It is filled before the run starts.
	Digests map[frames.Split]string
}

// Announce adds a seed that a source will send.
func (m *Meta) Announce(s Seed) {
	if m.Frames == nil {
		m.Frames = map[frames.Split]int{}
	}
	m.Frames[s.Split] += s.Frames
	m.Seeds = append(m.Seeds, s)
}

// Seed is a simulation whose frames a source sends one after the other, or the part of
// one that is for a split.
type Seed struct {
	Seed, Frames int
	Split        frames.Split
	Cut          bool // other splits have frames of the seed too
}

// Part returns the name of these frames.
func (s Seed) Part() frames.Part { return frames.PartOf(s.Seed, s.Split, s.Cut) }

// File is an input file, an array (F,H,W,C).
type File struct {
	Path string
	F, C int // frames and channels
	field.Grid
	Identity string // of its contents, as Meta.Identity
	Numbers  []int  // of its frames, in their order; nil: 0, 1, ...
}

// Numbered returns the origin of a frame, whose number is its place in the file, with the
// number that the file gives it.
func (f File) Numbered(o frames.Origin) frames.Origin {
	if f.Numbers != nil {
		o.Frame = f.Numbers[o.Frame]
	}
	return o
}

// Stage is one step of a flow. Besides these two methods it implements Source or
// Processor, and any of the other interfaces that it needs. A stage's file asserts each
// of them: var _ pipeline.Fitter = (*eval)(nil).
type Stage interface {
	// Open checks the Meta of the stage above and returns the stage's own. Its errors mean
	// that the user's input is wrong: nothing has been done yet.
	Open(ctx context.Context, env *Env, in Meta) (Meta, error)
	// Close frees what Open and the run acquired. It is called exactly once
	// after a successful Open, when no other method is running.
	Close() error
}

// Pass tells a source how often to send its frames.
type Pass int

// The two passes: everything once and in order (fitting, export, reports), or
// validation frames once and then training frames for ever (training).
const (
	Once Pass = iota
	Endless
)

// Source starts a flow. Emit sends elements until they end or send fails, and returns
// send's error as it is. The receiver owns the elements that were sent.
type Source interface {
	Stage
	Emit(ctx context.Context, pass Pass, send func(Element) error) error
}

// Processor is a stage that takes elements. It borrows its input, which the pipeline
// releases, and owns its outputs until it returns them. A stage that passes its input
// on retains it.
type Processor interface {
	Stage
	Process(ctx context.Context, in Element) ([]Element, error)
}

// Flusher is a Processor that holds elements back. Flush is called once, after the last
// element.
type Flusher interface {
	Flush(ctx context.Context) ([]Element, error)
}

// Fitter is a stage that must see the training data before the run: the normalizer for
// its mean and deviation, the evaluator for its linear filter. The result is kept under
// a key of everything that it depends on, and reused.
type Fitter interface {
	Stage
	// FitKey returns the part of the configuration that the result depends on, or
	// nil if there is nothing to fit.
	FitKey() any
	// Fit takes one element from the stages above; enough ends the pass early.
	Fit(ctx context.Context, in Element) (enough bool, err error)
	// Fitted returns the result, which encoding/json must carry exactly.
	Fitted() (any, error)
	// Restore installs a result of Fitted, encoded by encoding/json.
	Restore(data []byte) error
}

// PartFitter is a Fitter whose result is joined from the results of parts of the frames.
// Runs that share the work share the pass too: each finds there what others have done.
type PartFitter interface {
	Fitter
	// FitsPart reports whether the result depends on the frames of a seed, which are this
	// run's share or not.
	FitsPart(s Seed, mine bool) bool
	// FittedPart returns the result of the frames of one part: those that came since the
	// last call. encoding/json must carry it exactly.
	FittedPart() (any, error)
	// JoinParts takes the results of all parts that the result depends on, in the order of
	// the seeds. Fitted then returns what it would after one pass, to the last bit.
	JoinParts(parts []json.RawMessage) error
}

// Picker is a source that can leave seeds out.
type Picker interface {
	Source
	// Pick limits the passes that follow to the parts for which want is true; nil: all.
	Pick(want func(frames.Part) bool)
}

// Keeper is a stage that keeps a result for each seed, or for each part of one, so that a stopped run can
// resume and several runs can share the work.
type Keeper interface {
	Stage
	// Resume looks, before the run itself, for the results of earlier runs under the
	// same key. It returns the parts with whole results, which are not sent again, or nil if
	// the stage keeps nothing in this run.
	// The key covers what a Store's key covers, and the stage's own config.
	Resume(ctx context.Context, key string) (finished map[frames.Part]bool, err error)
	// Replaces reports whether results of other settings are replaced. A run that does not
	// share the work then has the folder for itself.
	Replaces() bool
}

// Starter is a stage that replaces files of an earlier run. Start is called right
// before the run itself, when everything else has succeeded: a run that cannot
// begin must not lose those files.
type Starter interface {
	Stage
	Start() error
}

// Preparer is a stage whose input can turn out to be wrong when all stages are open, filled
// and fitted. Prepare is called once before any file of an earlier run is touched. Its errors
// mean that the user's input is wrong.
type Preparer interface {
	Stage
	Prepare(ctx context.Context) error
}

// Resumer is a stage that can continue an earlier run from a file in the run's
// folder, as a trainer does from its checkpoint.
type Resumer interface {
	Stage
	// ResumeFiles returns the name of the file to resume from and a pattern of all files
	// of its kind. A run that does not resume from its own folder renames them, since
	// beside its spec they would be taken for its own.
	ResumeFiles() (newest, pattern string)
	// ResumeSpec returns the Lasting spec of the run that wrote a file, or nothing if
	// the file has none, and an error unless the file is whole. It is called before Open.
	ResumeSpec(ctx context.Context, path string) ([]byte, error)
	// ResumeFrom makes the run continue from a file. It is called once, when every stage
	// has been opened and nothing has been done yet, and returns what the earlier run has
	// done. Its errors mean that the user's input is wrong.
	ResumeFrom(path string) (Done, error)
}

// Done is what an earlier run has done and a resumed run does not repeat.
type Done struct {
	Steps  int // logs keep the steps up to this one and drop later ones
	Frames int // training frames that are used up: the source skips them
}

// Stepper is a Processor whose work is steps on a torch thread, which a profile
// can watch. It calls Env.Profile.Step where each step begins.
type Stepper interface {
	Processor
	// Steps returns the name of a step, and the number of slow steps that come first.
	Steps() (name string, warmUp int)
}

// Fuser is a Processor that can also do the work of the stages right above it, in
// one pass over memory, with the same result.
type Fuser interface {
	Processor
	// Fuse is offered the stages above, the nearest last, once all stages are opened and
	// fitted. It returns how many it takes over, counted from the nearest. The input of
	// the topmost of them then goes to the Fuser.
	Fuse(above []Stage) int
}

// FitFuser is a Fitter whose Fit can do the work of the stages right above it.
type FitFuser interface {
	Fitter
	// FuseFit is Fuse for the pass that fits.
	FuseFit(above []Stage) int
}

// Store is a stage that keeps the elements that reach it, and is then the flow's source
// in place of the stages above.
type Store interface {
	Source
	// Ready reports whether there is a whole, undamaged copy under this key.
	Ready(ctx context.Context, key string) (bool, error)
	// Write adds an element to the copy being made, Commit makes it the copy that
	// Emit reads, and Abort removes it.
	Write(ctx context.Context, in Element) error
	Commit(ctx context.Context) error
	Abort()
}

// Validator is implemented by configs with rules that no tag can express, such as
// relations between keys. Run is the flow's run section. Problems of keys that the tags
// report already are dropped.
type Validator interface {
	Validate(run *Run, report func(key, format string, args ...any))
}

// Bounded is implemented by configs with keys that are about the domain's boundary. Where a spec
// writes run.grid.boundary, they follow it, unless it writes them too. Open along one axis is
// open.
type Bounded interface {
	SetBoundary(periodic bool, written func(key string) bool)
}

// Adviser is implemented by configs whose values can be legal and unwise.
type Adviser interface {
	Advise(run *Run, warn func(key, summary, detail string))
}

// FlowAdviser is implemented by configs that can be unwise below certain others. Above
// holds the configs of the stages above, pointers, from the source down. A warning without a
// key is about the stage.
type FlowAdviser interface {
	AdviseFlow(above []any, warn func(key, summary, detail string))
}
