package pipeline

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/pipeline/spec"
)

// resume decides whether the run resumes an earlier one: from the file that the
// user names, or from the newest in the run's folder. Rank 0 decides for all. The spec that the file carries,
// or else the spec beside it, must be this one, except for keys that do not change the
// result.
func (r *runner) resume(opt Options) error {
	_, resumer := r.resumer()
	if !r.env.Leads() {
		return nil
	}
	if resumer == nil {
		if opt.Resume != "" {
			return fmt.Errorf("resume from %s: this flow trains nothing", opt.Resume)
		}
		return nil
	}
	from, err := r.resumeFile(resumer, opt)
	if err != nil || from == "" {
		return err
	}
	was, err := r.earlierSpec(resumer, from)
	if err != nil {
		return r.orKept(resumer, from, err)
	}
	notes := []string{fmt.Sprintf("warning: %s carries no spec, and there is no spec.yaml beside it: not every key can be compared with the earlier run's", from)}
	if was != nil {
		if notes, err = compare(was, r.spec); err != nil {
			return fmt.Errorf("%s resumes from %s, but %w: go back to that, or start over with --resume never, or in another folder by --out (from its weights with --init-from)", r.env.Run.Dir, from, err)
		}
	}
	for _, note := range notes {
		r.env.Progress.Note("%s", note)
	}
	r.env.Resume.From, r.env.Resume.Dir = r.inFolder(spec.Absolute(from)), r.env.Run.Dir
	return nil
}

// resumable reports whether the run's folder says where this run can be resumed from.
func (r *runner) resumable() bool {
	_, resumer := r.resumer()
	if !r.begun || resumer == nil || r.env.Resume.From == "" {
		return r.begun
	}
	newest, _ := resumer.ResumeFiles()
	_, err := os.Stat(filepath.Join(r.env.Run.Dir, newest))
	return err == nil
}

// resumeFile returns the file to resume from, or nothing if the run starts from the
// beginning. A folder stands for the newest file in it.
func (r *runner) resumeFile(resumer Resumer, opt Options) (string, error) {
	dir := opt.Resume
	switch {
	case dir == "" && opt.Fresh:
		return "", nil
	case dir == "":
		dir = r.env.Run.Dir
	default:
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return dir, err
		}
	}
	newest, _ := resumer.ResumeFiles()
	from := filepath.Join(dir, newest)
	_, err := os.Stat(from)
	switch missing := errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR); {
	case missing && len(r.keptBeside(resumer, from)) == 0 && opt.Resume == "":
		return "", nil
	case missing:
		return "", r.orKept(resumer, from, fmt.Errorf("there is no %s", from))
	default:
		return from, err
	}
}

// orKept returns the error of a file that cannot be resumed from, with the command that
// resumes from the newest whole file beside it, if there is one.
func (r *runner) orKept(resumer Resumer, from string, err error) error {
	kept := r.keptBeside(resumer, from)
	if len(kept) == 0 {
		return fmt.Errorf("%w: name another checkpoint by --resume, or start over with --resume never, or in another folder by --out", err)
	}
	names := make([]string, len(kept))
	for i, path := range kept {
		names[i] = filepath.Base(path)
	}
	return fmt.Errorf("%w; beside it is %s: resume with --resume %s, or start over with --resume never, or in another folder by --out", err, strings.Join(names, ", "), kept[0])
}

// keptBeside returns the other files, beside one to resume from, that are whole. The
// newest comes first.
func (r *runner) keptBeside(resumer Resumer, from string) (kept []string) {
	dir := filepath.Dir(from)
	_, pattern := resumer.ResumeFiles()
	entries, _ := os.ReadDir(dir) // a folder that is missing has none
	modified := map[string]int64{}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		matches, _ := filepath.Match(pattern, e.Name())
		info, err := e.Info()
		if !matches || path == filepath.Clean(from) || err != nil {
			continue
		}
		if _, err := resumer.ResumeSpec(r.env.ctx, path); err == nil {
			kept = append(kept, path)
			modified[path] = info.ModTime().UnixNano()
		}
	}
	slices.SortStableFunc(kept, func(a, b string) int { return cmp.Compare(modified[b], modified[a]) })
	return kept
}

// earlierSpec returns the spec of the run that wrote a file: the one that the file
// carries, or else the one beside it. It returns nil if there is neither.
func (r *runner) earlierSpec(resumer Resumer, from string) (*Spec, error) {
	path := from + ", key spec"
	src, err := resumer.ResumeSpec(r.env.ctx, from)
	if err == nil && len(src) == 0 {
		path = filepath.Join(filepath.Dir(from), "spec.yaml")
		if src, err = infile.ReadAll(path, 16<<20); errors.Is(err, fs.ErrNotExist) { // only the file was copied here
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	was, err := Parse(path, src, nil)
	if err != nil {
		return nil, fmt.Errorf("the spec of the run to resume: %w", err)
	}
	return was, nil
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
// earlier run has done for the stages above and below the trainer. Rank 0 reads the
// checkpoint, and its trainer shares what it has read.
func (r *runner) resumeFrom() error {
	from := r.env.Resume.From
	if from == "" || !r.env.Leads() {
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
// from, unless this run resumes from there. What was set aside before stays.
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
	return runfolder.SetAside(old...)
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
			notes = append(notes, fmt.Sprintf("%s.%s was %s and is %s: results will differ in their last bits", owner, key, orEmpty(old[key]), orEmpty(text(x))))
		default:
			err = fmt.Errorf("%s.%s was %s, and is %s", owner, key, orEmpty(old[key]), orEmpty(text(x)))
		}
	})
	return notes, err
}

// orEmpty returns a key's value for a message.
func orEmpty(value string) string {
	if value == "" {
		return "empty"
	}
	return value
}
