package pipeline

import (
	"context"
	"io"
	"path/filepath"
	"regexp"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/profile"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/store/runfolder"
)

// Env is what a run offers its stages.
type Env struct {
	Run      *Run                   // the spec's run section, paths absolute; with several ranks, threads is each one's number
	Spec     []byte                 // the resolved spec, as YAML
	Lasting  []byte                 // the part of the spec that a resumed run must have in common, as YAML
	Ends     Traits                 // of the elements that the flow's last stage sends
	Shard    Shard                  // this run's part of the seeds or files
	Wants    func(frames.Part) bool // the parts that the source sends in the run itself; nil: all, or not known yet
	Ranks    *ranks.Group           // the processes that share this run's work; nil: this one is alone
	Local    int                    // rank on this machine, of several processes
	Fresh    bool                   // keepers ignore what earlier runs have finished
	Version  string                 // of fmsr
	Mem      memory.Allocator       // of frames, outside Go's heap
	Cache    string                 // folder of files that can be made again; empty: there is none
	Out      io.Writer              // for a person to read
	Progress *Progress
	Folder   *runfolder.Folder // the run's folder, locked; nil before it is made
	Resume   Resume            // where the run continues; not known before every stage has been opened
	Profile  *profile.Profile  // nil: steps are not watched
	Asked    *Ask              // the stages are opened for Plan alone; nil: for a run
	Dry      bool              // the stages are opened for DryRun: they write nothing, and refuse nothing for lack of memory
	Batch    int               // frames of a training batch, of all ranks together; the stage that joins them sets it

	ctx    context.Context // the run's, which its caller may end
	failed error           // the error that has ended the run; nil: none
	finish func()
}

// Finish stops the run's source. The elements that are in flight still arrive, and
// the run succeeds. The trainer calls it after its last step.
func (e *Env) Finish() { e.finish() }

// Interrupted reports whether the run has been asked to stop.
func (e *Env) Interrupted() bool { return e.ctx.Err() != nil }

// Failed reports, when stages close, whether an error has ended the run.
func (e *Env) Failed() bool { return e.failed != nil }

// Resume is where a resumed run continues. The run itself fills it in, once every
// stage has been opened (see Resumer); sources read it when they emit, and sinks
// when they start.
type Resume struct {
	Done
	From string // the checkpoint; empty: the run starts from the beginning
	Dir  string // the run's folder
}

// Here reports whether the checkpoint is in the run's own folder, so that the run's
// logs continue. One that was set aside there, as checkpoint.pt.old, is of an earlier run:
// the folder's logs are not its own.
func (r Resume) Here() bool {
	return r.From != "" && filepath.Dir(r.From) == r.Dir && !setAsideName.MatchString(r.From)
}

// setAsideName matches the names that setAside gives.
var setAsideName = regexp.MustCompile(`\.old(-[0-9]+)?$`)
