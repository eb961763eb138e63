package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"fmsr/internal/glob"
	"fmsr/pipeline/spec"
)

// resume decides whether the run resumes an earlier one: from the file that the
// user names, or from the newest in the run's folder. The spec beside that file
// must be this one, except for keys that do not change the result.
func (r *runner) resume(opt Options) error {
	_, resumer := r.resumer()
	if resumer == nil {
		if opt.Resume != "" {
			return fmt.Errorf("resume from %s: this flow trains nothing", opt.Resume)
		}
		return nil
	}
	from := opt.Resume
	if from == "" {
		newest, _ := resumer.ResumeFiles()
		from = filepath.Join(r.env.Run.Dir, newest)
		if _, err := os.Stat(from); opt.Fresh || err != nil {
			return nil
		}
	}
	path := filepath.Join(filepath.Dir(from), "spec.yaml")
	src, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist): // only the file was copied here
	case err != nil:
		return err
	default:
		was, err := Parse(path, src, nil)
		if err != nil {
			return fmt.Errorf("the spec of the run to resume: %w", err)
		}
		notes, err := compare(was, r.spec)
		if err != nil {
			return fmt.Errorf("%s resumes from %s, but %w: go back to that, or start over with --resume never", r.env.Run.Dir, from, err)
		}
		for _, note := range notes {
			r.env.Progress.Note("%s", note)
		}
	}
	r.env.Resume.From, r.env.Resume.Dir = spec.Absolute(from), r.env.Run.Dir
	return nil
}

// resumer returns the stage that can resume an earlier run, or nil.
func (r *runner) resumer() (*node, Resumer) {
	for _, n := range r.nodes {
		if s, ok := n.Stage.(Resumer); ok {
			return n, s
		}
	}
	return nil, nil
}

// resumeFrom makes the trainer continue from the checkpoint, and notes what the
// earlier run has done for the stages above and below the trainer.
func (r *runner) resumeFrom() error {
	from := r.env.Resume.From
	if from == "" {
		return nil
	}
	n, resumer := r.resumer()
	err := guard(func() (err error) {
		r.env.Resume.Done, err = resumer.ResumeFrom(from)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.label, err)
	}
	return nil
}

// setAside renames the files in the run's folder that another run could resume
// from, unless this run resumes from there.
func (r *runner) setAside() error {
	_, resumer := r.resumer()
	if r.env.Resume.Here() || resumer == nil {
		return nil
	}
	_, pattern := resumer.ResumeFiles()
	old, err := glob.In(r.env.Run.Dir, pattern)
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

// compare returns an error if resuming a run of spec was under spec now would change
// its results. The notes name the keys that may change the last bits of the results.
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

// names returns the stages that change what other stages see, in order.
func names(s *Spec) []string {
	var all []string
	for _, n := range s.Flow {
		if !n.Decl.Link.Bystander {
			all = append(all, n.Name)
		}
	}
	return all
}

// compareKeys is compare for one config, a pointer to a struct.
func compareKeys(owner string, was, now any) (notes []string, err error) {
	old := map[string]string{}
	text := func(x reflect.Value) string { return fmt.Sprint(x.Interface()) }
	spec.EachKey(was, func(key string, _ spec.Field, x reflect.Value) { old[key] = text(x) })
	spec.EachKey(now, func(key string, f spec.Field, x reflect.Value) {
		switch {
		case err != nil || f.Resume == "free" || old[key] == text(x):
		case f.Resume == "bits":
			notes = append(notes, fmt.Sprintf("%s.%s was %s and is %s: results will differ in their last bits", owner, key, old[key], text(x)))
		default:
			err = fmt.Errorf("%s.%s was %s, and is %s", owner, key, old[key], text(x))
		}
	})
	return notes, err
}
