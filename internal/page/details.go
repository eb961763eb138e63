package page

import (
	"fmt"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/words"
)

// Details is what a reader may want to know of a subject besides its results.
type Details struct {
	*Subject
	Data, Machine, Time []Fact
	Spec                []runview.Key
}

// Fact is a name and a value.
type Fact struct{ Name, Value string }

func (v *View) details() (all []Details) {
	seen := map[*runview.Run]bool{}
	for _, s := range v.Subjects {
		if seen[s.Run] {
			continue
		}
		seen[s.Run] = true
		d := Details{Subject: s, Data: data(s), Time: times(s.Run)}
		if s.About != nil {
			d.Machine = machine(s.About)
		}
		for _, k := range s.Spec.Keys {
			if k.Path != "run.dir" && k.Path != "version" {
				d.Spec = append(d.Spec, k)
			}
		}
		all = append(all, d)
	}
	return all
}

// facts is a list without what is not known.
type facts []Fact

func (f *facts) add(name, format string, value any) {
	if text := fmt.Sprintf(format, value); text != "" && text != "0" {
		*f = append(*f, Fact{name, text})
	}
}

func data(s *Subject) (f facts) {
	if a := s.About; a != nil {
		f.add("fields", "%s", strings.Join(a.Fields, ", "))
		f.add("grid", "%s cells", a.Grid)
		if a.Box != [2]float64{} {
			f.add("box", "%s", fmt.Sprintf("%g x %g", a.Box[0], a.Box[1]))
		}
		f.add("pooling", "%d cells along an axis", a.Factor)
		for _, split := range []string{"train", "val", "test"} {
			if n := a.Frames[split]; n > 0 {
				text := words.Count(n, "frame")
				if seeds := a.Seeds[split]; seeds > 0 {
					text += " of " + words.Count(seeds, "seed")
				}
				f.add(split, "%s", text)
			}
		}
		for i, name := range a.Fields {
			if i < len(a.Mean) && i < len(a.Std) {
				f.add(name, "%s", fmt.Sprintf("mean %.4g, deviation %.4g", a.Mean[i], a.Std[i]))
			}
		}
		return f
	}
	if s.Record != nil {
		f.add("fields", "%s", strings.Join(fieldNames([]*Subject{s}), ", "))
		f.add("grid", "%s cells", s.Record.Grid.String())
		f.add("frames compared", "%d", s.Record.Frames)
	}
	return f
}

func machine(a *runview.About) (f facts) {
	f.add("host", "%s", a.Host)
	f.add("processor", "%s", a.CPU)
	f.add("cores", "%d", a.Cores)
	f.add("device", "%s", a.Device)
	f.add("threads", "%d", a.Threads)
	if a.Ranks > 1 {
		f.add("processes", "%d", a.Ranks)
	}
	f.add("libtorch", "%s", a.Libtorch)
	f.add("fmsr", "%s", a.Version)
	return f
}

// times says how long a run took and what that costs, by its timing log.
func times(r *runview.Run) (f facts) {
	if r.About == nil {
		return nil
	}
	speed := r.Timing.Of("frames_per_s")
	training, evaluating, before := 0.0, 0.0, 0
	if speed != nil {
		for i, step := range speed.Steps {
			if v := speed.Values[i]; v > 0 {
				training += float64((step-before)*r.About.Batch) / v
			}
			before = step
		}
	}
	if e := r.Timing.Of("eval_s"); e != nil {
		for _, v := range e.Values {
			evaluating += v
		}
	}
	total := training + evaluating
	if total <= 0 {
		return nil
	}
	if !r.About.Started.IsZero() {
		f.add("started", "%s", r.About.Started.UTC().Format("2006-01-02 15:04 UTC"))
	}
	f.add("training", "%s", duration(training))
	f.add("evaluations", "%s", duration(evaluating))
	if v, ok := speed.Last(); ok && r.About.Batch > 0 {
		f.add("speed", "%s", fmt.Sprintf("%.3g training frames/s, %.3g steps/s", v, v/float64(r.About.Batch)))
	}
	if strings.HasPrefix(r.About.Device, "cuda") {
		f.add("cost", "%s", fmt.Sprintf("%.3g GPU-hours", total/3600*float64(r.About.Ranks)))
	} else {
		f.add("cost", "%s", fmt.Sprintf("%.3g core-hours", total/3600*float64(r.About.Threads*r.About.Ranks)))
	}
	return f
}

func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d <= 0:
		return ""
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
