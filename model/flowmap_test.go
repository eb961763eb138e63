package model

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// TestFlowMapOfLinearODE: of a teacher v = a x, the path is exp(a (t - from)) x0, to the order
// of the teacher's steps. A student u = b x makes steps of its own, x (1 + b (s-t)), and its
// targets lead from where they end to the teacher's x_s, for all steps of samplers of 1, 2 and 4
// steps. With the exact u, each of these samplers ends at the exact x.
func TestFlowMapOfLinearODE(t *testing.T) {
	const a, b, n = 0.8, 0.6, 24
	x0, xLo := normals(1, n), normals(2, n)
	onThread(t, func(s *torchx.Scope) error {
		for _, most := range []int{1, 2, 4} {
			d := Distilled{Most: most, From: 0.1, To: 0.9}
			evaluations := 0
			linear := func(rate float64) Velocity {
				return func(s *torchx.Scope, x torchx.Tensor, _ ...float64) torchx.Tensor {
					evaluations++
					return s.Affine(x, rate, 0)
				}
			}
			flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.5}
			path := d.path(s, flow, linear(a), grid(s, x0, 2, 1, 3, 4), grid(s, xLo, 2, 1, 3, 4))
			exact := func(t float64) float64 { return math.Exp(a * (t - 0.1)) }
			for i, x := range path {
				for j, got := range doubles(s, x) {
					golden.Near(t, fmt.Sprintf("x at %g", d.at(i)), got, exact(d.at(i))*x0[j], 6e-3)
				}
			}
			xt, velocity, times := d.lessons(s, path, linear(b))
			golden.Near(t, "evaluations", float64(evaluations), float64(d.Evaluations()), 0)
			at, target, ts := doubles(s, xt), doubles(s, velocity), doubles(s, times)
			var spans []string
			for i := 0; i < len(ts); i += 2 {
				from, to := ts[i], ts[i+1]
				if i%4 == 0 { // of two samples
					spans = append(spans, fmt.Sprintf("%.1f-%.1f", from, to))
				}
				own := math.Pow(1+b*(to-from), math.Round((from-0.1)/(to-from)))
				for j := i / 2 * 12; j < i/2*12+12; j++ {
					golden.Near(t, "x_t", at[j], own*x0[j%n], 1e-6)
					golden.Near(t, "the target", at[j]+(to-from)*target[j], exact(to)*x0[j%n], 6e-3)
				}
			}
			want := map[int]string{1: "0.1-0.9", 2: "0.1-0.9 0.1-0.5 0.5-0.9", 4: "0.1-0.9 0.1-0.5 0.5-0.9 0.1-0.3 0.3-0.5 0.5-0.7 0.7-0.9"}[most]
			if got := strings.Join(spans, " "); got != want || len(spans) != d.Lessons() {
				t.Errorf("spans %s, want %s", got, want)
			}
			flow.Objective, flow.Map = FlowMap, d
			for steps := 1; steps <= most; steps *= 2 {
				p := SamplerConfig{SampleSteps: steps, Solver: string(Heun)}.Sampler(flow)
				u := func(s *torchx.Scope, x torchx.Tensor, at ...float64) torchx.Tensor {
					return s.Affine(x, math.Expm1(a*(at[1]-at[0]))/(at[1]-at[0]), 0)
				}
				x := p.Sample(context.Background(), s, u, grid(s, x0, 2, 1, 3, 4), grid(s, xLo, 2, 1, 3, 4), nil)
				for j, got := range doubles(s, x) {
					golden.Near(t, fmt.Sprintf("%d steps", steps), got, math.Exp(a*0.8)*x0[j], 1e-13)
				}
				golden.Near(t, "evaluations", float64(p.Evaluations()), float64(steps), 0)
			}
		}
		return s.Err()
	})
}

// TestFlowMapSteps: a map takes powers of two alone, and no other keys of the sampler.
func TestFlowMapSteps(t *testing.T) {
	d := Distilled{Most: 4, To: 1}
	for n, want := range []int{4, 1, 2, 2, 4, 4} {
		if got := d.Fitting(n); got != want {
			t.Errorf("up to %d steps: %d, want %d", n, got, want)
		}
	}
	f := Flow{Objective: FlowMap, Map: d}
	usual := SamplerConfig{Solver: string(Multistep), TMax: 1, SDESchedule: string(Matched)}
	for _, c := range []struct {
		change func(c *SamplerConfig)
		want   string
	}{
		{func(c *SamplerConfig) {}, ""},
		{func(c *SamplerConfig) { c.SampleSteps = 2 }, ""},
		{func(c *SamplerConfig) { c.SampleSteps = 3 }, "sample_steps is 3: the checkpoint is a flow map, distilled to 1, 2 or 4 steps"},
		{func(c *SamplerConfig) { c.Solver, c.SDEDelta = string(Heun), 1 }, "solver, sde_delta cannot be set: the checkpoint is a flow map, which has steps of its own and no SDE"},
	} {
		config := usual
		c.change(&config)
		got := ""
		if err := config.CheckMap(f, usual); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("error %q, want %q", got, c.want)
		}
		if err := config.CheckMap(Flow{}, usual); err != nil {
			t.Error(err)
		}
	}
}

// taughtCase is a teacher after so many steps, its checkpoint, and the digest of its weights.
func taughtCase(t *testing.T, steps int) (*Trainer, *Loaded, string) {
	t.Helper()
	teacher := objectiveTrainer(t, FlowMatching, 1, 1e-2)
	takeSteps(t, teacher, steps)
	path := filepath.Join(t.TempDir(), "teacher.pt")
	c := Checkpoint{Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}}, Input: Input{Factor: 2}}
	if err := save(context.Background(), teacher, path, c); err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	digest, err := l.Digest(rawKey)
	if err != nil {
		t.Fatal(err)
	}
	return teacher, l, digest
}

// takeSteps takes steps on noise and its multiples.
func takeSteps(t *testing.T, tr *Trainer, steps int) {
	t.Helper()
	for range steps {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			x := s.To(s.Randn(uint64(tr.Step), 2, 2, 8, 8), torchx.Float32, torchx.CPU, tr.Net.Config().Format)
			_, err := tr.TrainStep(s, x, s.Affine(x, 2, 1))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// studentOf returns a student that has its teacher and the teacher's weights.
func studentOf(t *testing.T, l *Loaded, digest string) *Trainer {
	t.Helper()
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Objective: FlowMap, Base: XLoPlusNoise, NoiseScale: 0.5, LossScale: 100, Map: Distilled{Most: 2, From: 0.2, To: 0.9, Teacher: digest}}
	tr, err := NewTrainer(ctx, thread, Config{Fields: 2, Channels: 8, Mult: []int{1, 1}, Periodic: true, Spans: true},
		Hyper{Flow: flow, LR: 2e-3, Schedule: "cosine", TotalSteps: 50, GradClip: 10, TMin: 0.2, TMax: 0.9, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	err = tr.Do(ctx, func(s *torchx.Scope) error {
		net, err := l.Net(s, rawKey, torchx.CPU)
		tr.Teacher = NewInference(net, false)
		return err
	})
	if err == nil {
		err = tr.Init(ctx, l, rawKey)
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// TestStudentStartsAsTeacher: with its teacher's weights, a student's u(x, t, s) is the
// teacher's v(x, t), whatever s is, to the last bit. Training then brings its samples of one step
// closer to the teacher's ODE, and leaves the teacher as it is.
func TestStudentStartsAsTeacher(t *testing.T) {
	teacher, l, digest := taughtCase(t, 30)
	student := studentOf(t, l, digest)
	at := func(f *Inference, ts ...float64) (out []float64) {
		err := student.Do(context.Background(), func(s *torchx.Scope) error {
			torchx.NoGrad(func() {
				x, xLo := s.To(s.Randn(70, 3, 2, 8, 12), torchx.Float32, torchx.CPU, f.Net.Config().Format), s.To(s.Randn(71, 3, 2, 8, 12), torchx.Float32, torchx.CPU, f.Net.Config().Format)
				out = doubles(s, f.Velocity(xLo)(s, x, ts...))
			})
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	v := at(student.Teacher, 0.2)
	if l2(v) == 0 || slices.Equal(v, at(student.Teacher, 0.6)) {
		t.Fatal("the teacher's velocity does not depend on its inputs")
	}
	for _, average := range []bool{false, true} {
		for _, to := range []float64{0.2, 0.55, 0.9} {
			if u := at(student.Inference(average), 0.2, to); !slices.Equal(u, v) {
				t.Errorf("average %v: u(x, 0.2, %g) is not v(x, 0.2)", average, to)
			}
		}
	}
	sample := func(p Sampler, f *Inference) (out []float64) {
		err := student.Do(context.Background(), func(s *torchx.Scope) error {
			g := Generator{Inference: f, Sampler: p, Streams: func(uint64) []uint64 { return []uint64{73} }}
			torchx.NoGrad(func() {
				out = doubles(s, g.Sample(context.Background(), s, s.To(s.Randn(72, 4, 2, 8, 8), torchx.Float32, torchx.CPU, f.Net.Config().Format)))
			})
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	ode := sample(Sampler{Flow: teacher.Flow, Solver: Heun, Steps: 50, TMin: 0.2, TMax: 0.9}, student.Teacher)
	apart := func(steps int) float64 {
		x := sample(SamplerConfig{SampleSteps: steps}.Sampler(student.Flow), student.Inference(false))
		for i := range x {
			x[i] -= ode[i]
		}
		return l2(x)
	}
	before := []float64{apart(1), apart(2)}
	takeSteps(t, student, 50)
	after := []float64{apart(1), apart(2)}
	t.Logf("from the teacher's samples: %.4g before, %.4g after", before, after)
	if !(after[0] < 0.7*before[0]) {
		t.Errorf("from the teacher's samples: %g before, %g after", before, after)
	}
	if !slices.Equal(at(student.Teacher, 0.2), v) || teacher.Step != 30 {
		t.Error("the teacher has changed")
	}
	if u := at(student.Inference(false), 0.2, 0.55); slices.Equal(u, at(student.Inference(false), 0.2, 0.9)) {
		t.Error("u does not depend on s")
	}
}

// TestStudentResumes: a student's checkpoint says what it is, and training resumes from it to
// the same bits, with the same teacher alone.
func TestStudentResumes(t *testing.T) {
	ctx := context.Background()
	_, l, digest := taughtCase(t, 4)
	whole, first, second := studentOf(t, l, digest), studentOf(t, l, digest), studentOf(t, l, digest)
	takeSteps(t, whole, 3)
	takeSteps(t, first, 2)
	c := Checkpoint{Channels: l.Channels, Stats: l.Stats, Input: l.Input}
	path := filepath.Join(t.TempDir(), "student.pt")
	if err := save(ctx, first, path, c); err != nil {
		t.Fatal(err)
	}
	again, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if again.Flow.Map != first.Map || again.Flow.Objective != FlowMap || !again.Config.Spans {
		t.Errorf("%+v, want %+v", again.Flow.Map, first.Map)
	}
	if err := again.CheckTraining(first.Net.Config(), first.Hyper, c.Input); err != nil {
		t.Error(err)
	}
	other := first.Hyper
	other.Map.Teacher = "another"
	if err := again.CheckTraining(first.Net.Config(), other, c.Input); err == nil || !strings.Contains(err.Error(), "its teacher (digest of its weights) was "+digest+", and the run's is another") {
		t.Errorf("another teacher: %v", err)
	}
	if err := again.CheckInit(whole.Net.Config()); err == nil || !strings.Contains(err.Error(), "a student itself") {
		t.Errorf("a student as a teacher: %v", err)
	}
	if err := second.Restore(ctx, again); err != nil {
		t.Fatal(err)
	}
	takeSteps(t, second, 1)
	if !slices.Equal(state(t, second), state(t, whole)) {
		t.Error("the resumed training ends elsewhere")
	}
}
