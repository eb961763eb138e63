package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline/spec"
)

// Rehearser is a Processor whose work is most of the time of a run.
type Rehearser interface {
	Processor
	// Rehearse does with an element what Process would, as often as a measurement needs, and
	// keeps nothing. Enough ends the pass. The frames are the first training frames, if there
	// are any, and what a Fitter knows may come from these alone.
	Rehearse(ctx context.Context, in Element) (enough bool, err error)
}

// DryRun opens a spec's stages, tries the work of a run on its first frames, in memory, and
// returns what the run would do, need and take. It writes nothing, and makes no folder. Its
// errors are InputErrors; the facts that were found before one are returned with it.
func DryRun(ctx context.Context, spec *Spec, opt Options) (facts []Fact, err error) {
	r, err := newRunner(spec, opt)
	if err != nil {
		return nil, err
	}
	r.env.ctx, r.env.Dry = ctx, true
	defer func() {
		r.env.Folder, r.env.failed = nil, err
		if err = errors.Join(err, r.close()); err != nil {
			err = &InputError{Err: err}
		}
	}()
	f := &Forecast{}
	if err := r.look(ctx, f, opt); err != nil {
		return f.Facts, err
	}
	err = r.rehearse(ctx, f)
	for i, n := range r.nodes {
		if s, ok := n.Stage.(Forecaster); ok {
			f.Key = r.key(i, nil)
			s.Forecast(f)
		}
	}
	r.forecastFrames(f)
	f.sum(time.Now())
	return f.Facts, err
}

// look opens the stages, and describes the data and what is in the run's folder.
func (r *runner) look(ctx context.Context, f *Forecast, opt Options) (err error) {
	if err := r.resume(opt); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.resumeFrom(); err != nil {
		return err
	}
	r.describeData(f)
	if r.env.Folder, err = runfolder.Look(r.env.Run.Dir, r.kind()); err != nil {
		return err
	}
	if err := r.checkFolder(); err != nil {
		return err
	}
	f.Say("folder", "%s", r.folderState())
	return nil
}

func (r *runner) describeData(f *Forecast) {
	first, last := r.metas[0], r.metas[len(r.metas)-1]
	seeds := map[int]bool{}
	for _, s := range first.Seeds {
		seeds[s.Seed] = true
	}
	switch {
	case first.Files != nil:
		f.Say("input", "files %d, frames %d", len(first.Files), r.frames())
	case first.Seeds != nil:
		f.Say("frames", "%s, of %s", counts(first.Frames), words.Count(len(seeds), "simulation"))
	default:
		f.Say("frames", "%s", counts(first.Frames))
	}
	if r.env.Shard.N > 1 {
		f.Say("shard", "%s: %d of these frames", r.env.Shard, r.mine())
	}
	if last.Cells() > 0 {
		ly, lx := last.Lengths()
		f.Say("grid", "%s cells, a box of %g x %g, boundaries %s (y) and %s (x)", last.Grid, ly, lx, last.Boundary[0], last.Boundary[1])
	}
	if last.Channels != nil {
		f.Say("fields", "%d: %s", len(last.Channels), strings.Join(last.Channels, ", "))
	}
}

// mine returns how many of the source's frames are this run's share.
func (r *runner) mine() (n int) {
	if r.metas[0].Seeds == nil || r.env.Shard.N < 2 {
		return r.frames()
	}
	for i, s := range r.metas[0].Seeds {
		if r.env.Shard.Has(i) {
			n += s.Frames
		}
	}
	return n
}

// folderState says what the run would find in its folder.
func (r *runner) folderState() string {
	dir := r.env.Run.Dir
	switch _, resumer := r.resumer(); {
	case r.env.Resume.From != "":
		return fmt.Sprintf("%s: would resume at step %d of %s", dir, r.env.Resume.Steps, r.env.Resume.From)
	case !r.env.Folder.Has("spec.yaml"):
		return dir + ": new"
	case resumer != nil:
		return dir + ": holds an earlier run, whose checkpoints would be set aside as *.old"
	default:
		return dir + ": holds an earlier run: what is whole and of the same spec and data is kept"
	}
}

// rehearse tries the work of the stage that takes most of the time, on frames that have gone
// through the stages above it. Without such a stage, it measures what the stages above the
// first one that writes take for a frame.
func (r *runner) rehearse(ctx context.Context, f *Forecast) error {
	at := slices.IndexFunc(r.nodes, func(n *node) bool { _, ok := n.Stage.(Rehearser); return ok })
	if at >= 0 {
		if err := r.fitSamples(ctx, f, at); err != nil {
			return err
		}
		stage := r.nodes[at].Stage.(Rehearser)
		return r.someFrames(ctx, r.chain(at), func(ctx context.Context, e Element) (enough bool, err error) {
			if enough, err = stage.Rehearse(ctx, e); err != nil {
				err = fmt.Errorf("%s: %w", r.nodes[at].label, err)
			}
			return enough, err
		})
	}
	until := slices.IndexFunc(r.nodes, func(n *node) bool { _, writes := n.Stage.(Writer); return writes || r.spec.Flow[n.index].Decl.Link.End })
	if until < 0 {
		until = len(r.nodes)
	}
	if err := r.fitSamples(ctx, f, until-1); err != nil {
		return err
	}
	return r.timeFrames(ctx, f, until)
}

// Bounds of timeFrames.
const (
	timedFrames = 64
	timedFor    = 2 * time.Second
)

// timeFrames measures what the stages above the i-th take for a frame.
func (r *runner) timeFrames(ctx context.Context, f *Forecast, i int) error {
	var began time.Time
	seen := 0
	err := r.someFrames(ctx, r.chain(i), func(_ context.Context, e Element) (bool, error) {
		if began.IsZero() { // the first frame also opens files
			began = time.Now()
			return false, nil
		}
		if b, ok := e.(*frames.Frames); ok {
			seen += b.N()
		}
		return seen >= timedFrames || time.Since(began) > timedFor, nil
	})
	if err == nil && seen > 0 {
		f.Frame = time.Since(began) / time.Duration(seen)
		without := ""
		if i < len(r.nodes) {
			without = ", without the work of " + r.nodes[i].name
		}
		f.Time(f.Frame*time.Duration(r.mine()), "%s of %.3g ms each%s", words.Count(r.mine(), "frame"), f.Frame.Seconds()*1e3, without)
	}
	return err
}

// chain returns the stages above the i-th but for stores, which only keep frames.
func (r *runner) chain(i int) []*node {
	return slices.DeleteFunc(slices.Clone(r.nodes[:i]), func(n *node) bool { _, ok := n.Stage.(Store); return ok })
}

// someFrames sends the training frames, or all where there are none, through stages, until
// consume has enough.
func (r *runner) someFrames(ctx context.Context, chain []*node, consume func(context.Context, Element) (enough bool, err error)) error {
	if picker, ok := r.nodes[0].Stage.(Picker); ok && r.metas[0].Frames[frames.Train] > 0 {
		train := map[frames.Part]bool{}
		for _, s := range r.metas[0].Seeds {
			train[s.Part()] = train[s.Part()] || s.Split == frames.Train
		}
		picker.Pick(func(p frames.Part) bool { return train[p] })
		defer picker.Pick(nil)
	}
	p, finish := newPass(ctx, r.env)
	r.env.finish = finish
	done := false
	return p.run(chain, Once, func(e Element) error {
		if done {
			return nil
		}
		err := guard(func() (err error) { done, err = consume(p.ctx, e); return err })
		if done {
			finish()
		}
		return err
	})
}

// fitSamples gives the stages down to the i-th that fit an earlier run's result, if there is
// one, or else what they find in the first frames, for the rehearsal to have something.
func (r *runner) fitSamples(ctx context.Context, f *Forecast, i int) error {
	for j, n := range r.nodes[:i+1] {
		s, ok := n.Stage.(Fitter)
		if !ok || s.FitKey() == nil {
			continue
		}
		key := r.key(j, s.FitKey())
		if data := r.readFit(r.fitPath(key), key); data != nil && s.Restore(data) == nil {
			f.Say("statistics", "of %s: known from an earlier run%s", n.name, r.statsText(j))
			continue
		}
		f.Say("statistics", "of %s: the run takes them from the training frames first", n.name)
		if err := r.fitSample(ctx, j, s); err != nil {
			return err
		}
	}
	return nil
}

// statsText returns the mean and the deviation of each field, if the i-th stage knows them first.
func (r *runner) statsText(i int) (text string) {
	m := r.metas[i]
	if m.Stats == nil || i > 0 && r.metas[i-1].Stats != nil || len(m.Stats.Mean) != len(m.Channels) {
		return ""
	}
	var each []string
	for c, name := range m.Channels {
		each = append(each, fmt.Sprintf("%s %.3g +- %.3g", name, m.Stats.Mean[c], m.Stats.Std[c]))
	}
	return ": " + strings.Join(each, ", ")
}

// leastSample is the least number of frames that stages fit in a rehearsal.
const leastSample = 16

// fitSample lets a stage fit the first training frames. What it says of them is not shown: it
// is of a sample.
func (r *runner) fitSample(ctx context.Context, i int, s Fitter) error {
	defer r.env.Progress.silence()()
	chain := r.chain(i)
	if ff, ok := s.(FitFuser); ok {
		chain = chain[:len(chain)-ff.FuseFit(stagesOf(chain[1:]))]
	}
	seen := 0
	err := r.someFrames(ctx, chain, func(ctx context.Context, e Element) (bool, error) {
		if b := e.(*frames.Frames); b.Split() == frames.Train {
			seen += b.N()
		}
		enough, err := s.Fit(ctx, e)
		return enough || seen >= max(leastSample, r.env.Batch), err
	})
	if err != nil {
		return err
	}
	result, err := s.Fitted()
	if err != nil {
		return err
	}
	data, err := encodeFit(result)
	if err != nil {
		return err
	}
	return s.Restore(data)
}

// silence shows nothing until the function that it returns is called.
func (p *Progress) silence() (end func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	shown := p.to
	p.to = display.On(io.Discard)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.to = shown
	}
}

// forecastFrames adds the frames that flow: x_hi and x_lo of two batches, and what the stages
// in between hold.
func (r *runner) forecastFrames(f *Forecast) {
	largest := 0
	for _, m := range r.metas {
		largest = max(largest, len(m.Channels)*m.Cells())
		for _, file := range m.Files {
			largest = max(largest, file.C*file.H*file.W)
		}
	}
	f.Memory(4*float64(largest)*float64(framesAtOnce+4*r.env.Batch), "frames")
}

// Changed returns the keys of a spec that are not the defaults, a fact for each stage of the
// flow.
func (s *Spec) Changed() (facts []Fact) {
	standard := defaultRun()
	facts = append(facts, Fact{"run", changed(&standard, &s.Run)})
	for _, n := range s.Flow {
		facts = append(facts, Fact{n.Name, changed(n.Decl.Config(), n.Config)})
	}
	return facts
}

// mostListed is how many texts of a list are printed, such as a set's fields; of a list of
// files the first and the last.
const mostListed = 12

// changed lists the keys of a config, a pointer to a struct, with another value than usual.
func changed(usual, now any) string {
	was := map[string]string{}
	text := func(x reflect.Value) string {
		if list, ok := x.Interface().([]string); ok && len(list) > mostListed {
			return fmt.Sprintf("[%s ... %s], %d of them", list[0], list[len(list)-1], len(list))
		}
		return strings.TrimPrefix(fmt.Sprint(x.Interface()), "map")
	}
	spec.EachKey(usual, func(key string, _ spec.Field, x reflect.Value) { was[key] = text(x) })
	var keys []string
	spec.EachKey(now, func(key string, f spec.Field, x reflect.Value) {
		if value := text(x); value != was[key] {
			if f.IsPath() {
				value = shortPath(value)
			}
			keys = append(keys, key+": "+value)
		}
	})
	return strings.Join(keys, ", ")
}

// shortPath returns a path as seen from the current folder, if that is shorter.
func shortPath(path string) string {
	if here, err := os.Getwd(); err == nil {
		if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
			return short
		}
	}
	return path
}
