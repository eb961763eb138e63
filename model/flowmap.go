package model

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/torchx"
)

// Distilled says how a flow map was distilled. A flow map (Boffi et al. 2024,
// arXiv:2406.07507) gives the mean velocity of the ODE from t to s, so that a step is exact,
// however long it is:
//
//	x_s = x_t + (s-t) u(x_t, t, s),   u = 1/(s-t) int_t^s v(x_r, r) dr
//
// The student u learns it from a teacher v, a trained network that stays as it is. As in
// progressive distillation (Salimans & Ho 2022, arXiv:2202.00512), the targets are the teacher's
// own steps, and no derivative of u is needed:
//
//	x0 --teacher's ODE--> x at Most+1 equal times from From to To
//	x0 --student's steps, 1, 2, 4, ..., Most of them--> y;   each step: (t, s, y_t) --> target (x_s - y_t) / (s-t)
//
// The loss is flow matching's, the mean square. No x1 has a part. The student's second step
// begins where its first one has ended, as in sampling, and not where the teacher's has: so it
// learns to mend what the first one left (Ross et al. 2011, arXiv:1011.0686).
type Distilled struct {
	Most     int // steps of a sample, a power of two; 0: the flow is no map
	From, To float64
	Teacher  string // digest of the teacher's weights
}

// Takes lists the numbers of steps in which a map makes a sample, for messages: "1, 2 or 4".
func (d Distilled) Takes() string {
	var each []string
	for n := 1; n <= d.Most; n *= 2 {
		each = append(each, fmt.Sprint(n))
	}
	last := len(each) - 1
	if last == 0 {
		return each[0]
	}
	return strings.Join(each[:last], ", ") + " or " + each[last]
}

// Fitting returns the largest number of steps that the map takes, up to n. 0 is any number.
func (d Distilled) Fitting(n int) int {
	if n < 1 || n > d.Most {
		return d.Most
	}
	return 1 << (bits.Len(uint(n)) - 1)
}

// at returns the i-th of the Most+1 times.
func (d Distilled) at(i int) float64 { return d.From + (d.To-d.From)*float64(i)/float64(d.Most) }

// Lessons returns how many steps a student learns of each training sample: 1 without a map.
func (d Distilled) Lessons() int { return max(1, 2*d.Most-1) }

// Evaluations returns how often the teacher and, for the places where the steps of its samplers
// begin, the student are evaluated for each training sample, without gradients.
func (d Distilled) Evaluations() int {
	if d.Most == 0 {
		return 0
	}
	return d.Most*(d.teacherSteps()+1) + d.Lessons() - bits.Len(uint(d.Most))
}

// teacherSteps is the number of steps of Multistep in each of the Most parts: at least 8 in
// all, whose error is a few thousandths of the power (docs/sampling.md).
func (d Distilled) teacherSteps() int { return max(2, 8/d.Most) }

// path returns x (N,C,H,W) at the Most+1 times of the teacher's ODE, from x0 and x_lo
// (N,C,H,W), by the teacher's velocity. The flow is the teacher's.
func (d Distilled) path(s *torchx.Scope, teacher Flow, v Velocity, x0, xLo torchx.Tensor) []torchx.Tensor {
	path := []torchx.Tensor{x0}
	for i := range d.Most {
		sampler := Sampler{Flow: teacher, Solver: Multistep, Steps: d.teacherSteps(), TMin: d.at(i), TMax: d.at(i + 1)}
		path = append(path, sampler.Sample(context.Background(), s, v, path[i], xLo, nil))
	}
	return path
}

// lessons returns what the student, whose velocity is u, learns of a path of N samples, the N of
// one step after the N of another: x and the mean velocities (N Lessons,C,H,W), and t and s
// (N Lessons,2).
func (d Distilled) lessons(s *torchx.Scope, path []torchx.Tensor, u Velocity) (xt, velocity, times torchx.Tensor) {
	if s.Err() != nil {
		return
	}
	var begins, means []torchx.Tensor
	var ts []float32
	n := path[0].Shape()[0]
	for length := d.Most; length >= 1; length /= 2 {
		x := path[0]
		for i := 0; i < d.Most; i += length {
			from, to := d.at(i), d.at(i+length)
			begins = append(begins, x)
			means = append(means, s.Affine(s.AddScaled(path[i+length], x, -1), 1/(to-from), 0))
			for range n {
				ts = append(ts, float32(from), float32(to))
			}
			if i+length < d.Most {
				x = s.AddScaled(x, u(s, x, from, to), to-from)
			}
		}
	}
	return s.Cat(0, begins...), s.Cat(0, means...), s.FromFloats(ts, int64(len(ts)/2), 2)
}

// taught returns what accumulate takes, for a batch's x_lo and x0 (N,C,H,W): x_lo, the
// target velocities, x_t (N Lessons,C,H,W), and t and s (N Lessons,2).
func (t *Trainer) taught(s *torchx.Scope, xLo, x0 torchx.Tensor) (_, velocity, xt, times torchx.Tensor) {
	teacher := t.Flow
	teacher.Objective = FlowMatching
	torchx.NoGrad(func() {
		path := t.Map.path(s, teacher, t.Teacher.Velocity(xLo), x0, xLo)
		xt, velocity, times = t.Map.lessons(s, path, t.Inference(false).Velocity(xLo))
		xLo = s.Cat(0, slices.Repeat([]torchx.Tensor{xLo}, t.Map.Lessons())...)
	})
	return xLo, velocity, xt, s.To(times, torchx.Float32, t.Net.Config().Device, torchx.NCHW)
}

// flowMap is the method of a flow map.
var flowMap = method{"flow map", 1, 1, (*run).jump, Sampler.equal}

// jump: y = x + dt u(x, t, t+dt).
func (r *run) jump(s *torchx.Scope) (y, k torchx.Tensor) {
	return s.AddScaled(r.x, r.velocity(s, r.x, r.from, r.to), r.dt), torchx.Tensor{}
}

// CheckMap returns an error for keys that are not for the map of a flow: it takes a few
// numbers of steps, and has no other solver, times or SDE. Other flows pass.
func (c SamplerConfig) CheckMap(f Flow, usual SamplerConfig) error {
	if f.Objective != FlowMap {
		return nil
	}
	if n := c.SampleSteps; n != 0 && f.Map.Fitting(n) != n {
		return fmt.Errorf("sample_steps is %d: the checkpoint is a flow map, distilled to %s steps", n, f.Map.Takes())
	}
	usual.SampleSteps = c.SampleSteps
	if others := c.Idle(usual); others != nil {
		return fmt.Errorf("%s cannot be set: the checkpoint is a flow map, which has steps of its own and no SDE", strings.Join(others, ", "))
	}
	return nil
}

// dict are the keys of a flow map in a checkpoint's config. Its times are t_min and t_max.
func (d Distilled) dict() torchfile.Dict {
	return torchfile.Dict{{Key: "map_steps", Value: d.Most}, {Key: "teacher", Value: d.Teacher}}
}

// readMap undoes dict.
func (l *Loaded) readMap(config *torchfile.Map) error {
	if (l.Flow.Objective == FlowMap) != l.Config.Spans {
		return fmt.Errorf("config.objective is %s, but the network has %s: a flow map has that, and no other network", l.Flow.Objective, map[bool]string{true: spanEmbed, false: "no " + spanEmbed}[l.Config.Spans])
	}
	if !l.Config.Spans {
		return nil
	}
	m := Distilled{From: l.TMin, To: l.TMax}
	if _, err := value(l, config, "config.", "map_steps", &m.Most); err != nil {
		return err
	}
	if _, err := value(l, config, "config.", "teacher", &m.Teacher); err != nil {
		return err
	}
	if m.Most < 1 || m.Fitting(m.Most) != m.Most || !(m.From < m.To) {
		return fmt.Errorf("config.map_steps is %d, from t = %g to %g: want a power of two, and times that rise", m.Most, m.From, m.To)
	}
	l.Flow.Map = m
	return nil
}
