package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// CheckpointFile is the name of a training run's newest checkpoint in its folder.
const CheckpointFile = "checkpoint.pt"

// CheckpointFiles match it and the older ones, which have their step in their names.
const CheckpointFiles = "checkpoint*.pt"

// resume settles whether a training run goes on from a checkpoint: the one that
// is named, or that of the run's folder. The spec beside it must be this one, but
// for what does not alter the result.
func (r *runner) resume(opt Options) error {
	if !r.trains() {
		if opt.Resume != "" {
			return fmt.Errorf("resume from %s: this flow trains nothing", opt.Resume)
		}
		return nil
	}
	from := opt.Resume
	if from == "" {
		from = filepath.Join(r.env.Run.Dir, CheckpointFile)
		if _, err := os.Stat(from); opt.Fresh || err != nil {
			return nil
		}
	}
	path := filepath.Join(filepath.Dir(from), "spec.yaml")
	src, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // a checkpoint that came alone
	case err != nil:
		return err
	default:
		was, err := Parse(path, src, nil)
		if err != nil {
			return fmt.Errorf("the spec of the run to go on with: %w", err)
		}
		notes, err := compare(was, r.spec)
		if err != nil {
			return fmt.Errorf("%s goes on from %s, but %w: go back to that, or start over by --resume never", r.env.Run.Dir, from, err)
		}
		for _, note := range notes {
			r.env.Progress.Note("%s", note)
		}
	}
	r.env.Resume.From, r.env.Resume.Dir = absolute(from), r.env.Run.Dir
	return nil
}

// resumeFrom has the trainer continue from the checkpoint, and notes what the
// earlier run has done for the stages above and below it.
func (r *runner) resumeFrom() error {
	from := r.env.Resume.From
	if from == "" {
		return nil
	}
	for _, n := range r.nodes {
		s, ok := n.Stage.(Resumer)
		if !ok {
			continue
		}
		err := guard(func() (err error) {
			r.env.Resume.Done, err = s.ResumeFrom(from)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
		return nil
	}
	return fmt.Errorf("resume from %s: no stage of this flow can", from)
}

// setAside renames the checkpoints that are in a training run's folder and are not
// gone on from: with the new spec beside them, they would be taken for this run's.
func (r *runner) setAside() error {
	if r.env.Resume.Here() || !r.trains() {
		return nil
	}
	old, err := filepath.Glob(filepath.Join(r.env.Run.Dir, CheckpointFiles))
	if err != nil {
		return err
	}
	for _, path := range old {
		if err := os.Rename(path, path+".old"); err != nil {
			return err
		}
	}
	return nil
}

// compare errs when a run with the spec now would not be what the run with the
// spec was would have become. The notes say what may differ in round-off.
func compare(was, now *Spec) (notes []string, err error) {
	if a, b := names(was), names(now); !reflect.DeepEqual(a, b) {
		return nil, fmt.Errorf("its flow was %s, and is %s", strings.Join(a, ", "), strings.Join(b, ", "))
	}
	notes, err = compareKeys("run", &was.Run, &now.Run)
	if err != nil {
		return nil, err
	}
	old := map[string]Node{}
	for _, n := range was.Flow {
		old[n.Name] = n
	}
	for _, n := range now.Flow {
		if o, ok := old[n.Name]; ok {
			more, err := compareKeys(n.Name, o.Config, n.Config)
			if err != nil {
				return nil, err
			}
			notes = append(notes, more...)
		}
	}
	return notes, nil
}

// names are the stages that matter to others, in order.
func names(s *Spec) []string {
	var all []string
	for _, n := range s.Flow {
		if !n.Decl.Link.Bystander {
			all = append(all, n.Name)
		}
	}
	return all
}

func compareKeys(owner string, was, now any) (notes []string, err error) {
	old := map[string]string{}
	text := func(x reflect.Value) string { return fmt.Sprint(x.Interface()) }
	eachKey(reflect.ValueOf(was).Elem(), owner+".", func(key string, _ field, x reflect.Value) { old[key] = text(x) })
	eachKey(reflect.ValueOf(now).Elem(), owner+".", func(key string, f field, x reflect.Value) {
		switch {
		case err != nil || f.resume == "free" || old[key] == text(x):
		case f.resume == "bits":
			notes = append(notes, fmt.Sprintf("%s was %s and is %s: results will differ in their last bits", key, old[key], text(x)))
		default:
			err = fmt.Errorf("%s was %s, and is %s", key, old[key], text(x))
		}
	})
	return notes, err
}
