package pipeline

import (
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/profile"
	"fmsr.example/fmsr/internal/store/runfolder"
)

// Reader is a stage that reads files of the user's.
type Reader interface {
	Stage
	// Reads returns the paths of the files, once the stage is open. No run overwrites them.
	Reads() []string
}

// Writer is a stage that writes files in the run's folder.
type Writer interface {
	Stage
	// Writes returns the names in the run's folder of all that the stage may write, once it
	// is open. A folder stands for everything in it. A file or folder of that name that is
	// there, and that fmsr did not make, ends the run before it begins. Checkpoints are not
	// among the names: they are set aside.
	Writes() []string
}

// use makes and locks the run's folder until the run's end.
func (r *runner) use() (err error) {
	if r.env.Folder == nil && r.env.Leads() {
		shared := r.hasKeeper() && (r.env.Shard.N > 1 || !r.env.Fresh && !r.replaces())
		r.env.Folder, err = runfolder.Use(r.env.Run.Dir, r.kind(), shared)
	}
	return err
}

// replaces reports whether a sink replaces results of other settings.
func (r *runner) replaces() bool {
	return slices.ContainsFunc(r.nodes, func(n *node) bool { k, ok := n.Stage.(Keeper); return ok && k.Replaces() })
}

// kind names what the flow makes. A folder holds results of one kind.
func (r *runner) kind() string {
	if _, resumer := r.resumer(); resumer != nil {
		return "training"
	}
	return r.nodes[len(r.nodes)-1].name
}

// writes returns the names of all that the run will write in its folder.
func (r *runner) writes() []string {
	names := []string{"spec.yaml"}
	if r.env.Profile != nil {
		names = append(names, profile.TraceName)
	}
	for _, n := range r.nodes {
		if w, ok := n.Stage.(Writer); ok {
			names = append(names, w.Writes()...)
		}
	}
	return names
}

// checkFolder returns an error if the run would overwrite an input, or something in its
// folder that fmsr did not make.
func (r *runner) checkFolder() error {
	if !r.env.Leads() {
		return nil
	}
	var inputs []string
	for _, n := range r.nodes {
		if s, ok := n.Stage.(Reader); ok {
			inputs = append(inputs, s.Reads()...)
		}
	}
	if from := r.env.Resume.From; from != "" && !r.env.Resume.Here() {
		inputs = append(inputs, from)
	}
	if file := r.spec.File; !r.env.Folder.Has("spec.yaml") { // else it is the spec of an earlier run there
		inputs = append(inputs, file)
	}
	return r.env.Folder.Check(r.writes(), inputs, r.env.Resume.Here())
}

// inFolder returns a checkpoint's path as one in the run's folder, if it is there under
// another name of the folder.
func (r *runner) inFolder(from string) string {
	if runfolder.Same(filepath.Dir(from), r.env.Run.Dir) {
		return filepath.Join(r.env.Run.Dir, filepath.Base(from))
	}
	return from
}
