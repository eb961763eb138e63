package stages

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv is a run's environment on checked memory.
func testEnv(t *testing.T) *pipeline.Env {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return &pipeline.Env{Run: &pipeline.Run{Seed: 1}, Mem: mem, Cache: t.TempDir(), Progress: pipeline.NewProgress(&strings.Builder{})}
}

// goldenFrames are golden's fields, planar, as one element.
func goldenFrames(env *pipeline.Env, batch, channels, n int) *frames.Frames {
	values := golden.Fields(batch, channels, n)
	b := frames.NewBuffer(env.Mem, len(values))
	for i, v := range values {
		frames.Floats(b)[i] = float32(v)
	}
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}[:channels]
	origins := make([]frames.Origin, batch)
	for i := range origins {
		origins[i].Frame = i
	}
	return frames.New(names, field.Grid{H: n, W: n}, origins, b, nil)
}

func metaOf(f *frames.Frames) pipeline.Meta {
	return pipeline.Meta{Channels: f.Channels, Grid: f.Grid, Frames: map[frames.Split]int{frames.Train: f.N(), frames.Val: 1}}
}

// process opens a stage and sends it one element.
func process(t *testing.T, env *pipeline.Env, s pipeline.Processor, in *frames.Frames) *frames.Frames {
	t.Helper()
	if _, err := s.Open(context.Background(), env, metaOf(in)); err != nil {
		t.Fatal(err)
	}
	out, err := s.Process(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != 1 {
		t.Fatalf("%d elements, want 1", len(out))
	}
	return out[0].(*frames.Frames)
}

func doubles(values []float32) []float64 {
	d := make([]float64, len(values))
	for i, v := range values {
		d[i] = float64(v)
	}
	return d
}

type goldenData struct {
	Mean         []float64     `json:"welford_mean"`
	Std          []float64     `json:"welford_std"`
	RampLo       [][]float64   `json:"ramp4_lo"`
	Lo           golden.Digest `json:"field4x8x64_lo"`
	NormalizedLo golden.Digest `json:"normalized_lo"`
	NormalizedHi golden.Digest `json:"normalized_hi"`
}

func TestPoolUpsampleGolden(t *testing.T) {
	var want goldenData
	golden.Load(t, "data", &want)
	env := testEnv(t)
	ramp := frames.NewBuffer(env.Mem, 16)
	for i := range frames.Floats(ramp) {
		frames.Floats(ramp)[i] = float32(i)
	}
	in := frames.New([]string{"a"}, field.Grid{H: 4, W: 4}, make([]frames.Origin, 1), ramp, nil)
	defer in.Release()
	out := process(t, env, &poolUpsample{PoolUpsample: PoolUpsample{Factor: 2, Boundary: "clamp"}}, in)
	defer out.Release()
	for i, v := range frames.Floats(out.Lo) {
		golden.Near(t, "x_lo of the ramp", float64(v), want.RampLo[i/4][i%4], 1e-6)
	}

	fields := goldenFrames(env, 4, 8, 64)
	defer fields.Release()
	lo := process(t, env, &poolUpsample{PoolUpsample: PoolUpsample{Factor: 2, Boundary: "clamp"}}, fields)
	defer lo.Release()
	want.Lo.Check(t, "x_lo", doubles(frames.Floats(lo.Lo)), 1e-6)
}

// TestPoolUpsamplePeriodic: a field shifted around the domain gives its x_lo
// shifted, which clamping does not.
func TestPoolUpsamplePeriodic(t *testing.T) {
	env := testEnv(t)
	f := goldenFrames(env, 1, 1, 16)
	defer f.Release()
	shifted := goldenFrames(env, 1, 1, 16)
	defer shifted.Release()
	const shift = 6
	for i := range 256 {
		frames.Floats(shifted.Hi)[i/16*16+(i+shift)%16] = frames.Floats(f.Hi)[i]
	}
	worst := func(boundary string) float64 {
		a := process(t, env, &poolUpsample{PoolUpsample: PoolUpsample{Factor: 2, Boundary: boundary}}, f)
		defer a.Release()
		b := process(t, env, &poolUpsample{PoolUpsample: PoolUpsample{Factor: 2, Boundary: boundary}}, shifted)
		defer b.Release()
		worst := 0.0
		for i := range 256 {
			d := float64(frames.Floats(b.Lo)[i/16*16+(i+shift)%16] - frames.Floats(a.Lo)[i])
			worst = max(worst, d, -d)
		}
		return worst
	}
	if d := worst("periodic"); d > 1e-6 {
		t.Errorf("periodic: off by %g after a shift", d)
	}
	if d := worst("clamp"); d < 1e-3 {
		t.Errorf("clamp: off by %g after a shift, and should be off at the edges", d)
	}
}

func TestNormalizeGolden(t *testing.T) {
	var want goldenData
	golden.Load(t, "data", &want)
	env := testEnv(t)
	fields := goldenFrames(env, 4, 8, 64)
	defer fields.Release()
	paired := process(t, env, &poolUpsample{PoolUpsample: PoolUpsample{Factor: 2, Boundary: "clamp"}}, fields)
	defer paired.Release()
	z := &normalize{}
	if _, err := z.Open(context.Background(), env, metaOf(paired)); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Fit(context.Background(), paired); err != nil {
		t.Fatal(err)
	}
	restoreFit(t, z)
	for c := range want.Mean {
		golden.Near(t, "mean", z.stats.Mean[c], want.Mean[c], 1e-8) // the input is rounded to float32
		golden.Near(t, "std", z.stats.Std[c], want.Std[c], 1e-8)
	}
	out, err := z.Process(context.Background(), paired)
	if err != nil {
		t.Fatal(err)
	}
	defer out[0].Release()
	want.NormalizedHi.Check(t, "normalized x_hi", doubles(frames.Floats(out[0].(*frames.Frames).Hi)), 1e-6)
	want.NormalizedLo.Check(t, "normalized x_lo", doubles(frames.Floats(out[0].(*frames.Frames).Lo)), 1e-6)
}

// TestNormalizeFitsOnTrainOnly: validation frames leave no trace.
func TestNormalizeFitsOnTrainOnly(t *testing.T) {
	env := testEnv(t)
	z := &normalize{}
	for _, split := range []frames.Split{frames.Train, frames.Val, frames.Test} {
		b := frames.NewBuffer(env.Mem, 4)
		copy(frames.Floats(b), []float32{1, 2, 3, 4})
		if split != frames.Train {
			copy(frames.Floats(b), []float32{100, 200, 300, 400})
		}
		f := frames.New([]string{"a"}, field.Grid{H: 2, W: 2}, []frames.Origin{{Split: split}}, b, nil)
		if z.channels == nil {
			if _, err := z.Open(context.Background(), env, metaOf(f)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := z.Fit(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	restoreFit(t, z)
	golden.Near(t, "mean", z.stats.Mean[0], 2.5, 0)
}

// TestNormalizeByParts: the parts' moments, fitted in any order, join to the bits of one
// pass.
func TestNormalizeByParts(t *testing.T) {
	env := testEnv(t)
	fit := func(z *normalize, frame int) {
		f := goldenFrames(env, 3, 8, 8)
		for i := range f.XHi() {
			frames.Floats(f.Hi)[i] = float32(golden.N(uint64(frame), uint64(i))) * float32(frame+1) / 3
		}
		if z.channels == nil {
			if _, err := z.Open(context.Background(), env, metaOf(f)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := z.Fit(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	fitted := func(z *normalize) string {
		result, err := z.Fitted()
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(result)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	one, z, parts := &normalize{}, &normalize{}, make([]json.RawMessage, 3)
	for frame := range 6 {
		fit(one, frame)
	}
	for _, part := range []int{2, 0, 1} {
		fit(z, 2*part)
		fit(z, 2*part+1)
		result, err := z.FittedPart()
		if err != nil {
			t.Fatal(err)
		}
		if parts[part], err = json.Marshal(result); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.JoinParts(parts); err != nil {
		t.Fatal(err)
	}
	if got, want := fitted(z), fitted(one); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if err := z.JoinParts([]json.RawMessage{[]byte("[[{}]]")}); len(z.channels) > 1 && err == nil {
		t.Error("moments of one channel are taken for those of all")
	}
}

func TestBatch(t *testing.T) {
	env := testEnv(t)
	b := &batch{Batch: Batch{Size: 2}}
	send := func(frame int, split frames.Split) (sizes []int) {
		f := goldenFrames(env, 1, 2, 4)
		f.Origins[0] = frames.Origin{Frame: frame, Split: split}
		defer f.Release()
		if b.mem == nil {
			if _, err := b.Open(context.Background(), env, metaOf(f)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := b.Process(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out {
			sizes = append(sizes, o.(*frames.Frames).N())
			o.Release()
		}
		return sizes
	}
	var got [][]int
	for i, split := range []frames.Split{frames.Val, frames.Val, frames.Val, frames.Train, frames.Train, frames.Train} {
		got = append(got, send(i, split))
	}
	if want := "[[] [2] [] [1] [2] []]"; sprint(got) != want {
		t.Errorf("batch sizes %v, want %s", got, want)
	}
	out, err := b.Flush(context.Background())
	if err != nil || len(out) != 1 || out[0].(*frames.Frames).N() != 1 {
		t.Fatalf("flushed %v, %v: want the frame held", out, err)
	}
	out[0].Release()
}

func restoreFit(t *testing.T, f pipeline.Fitter) {
	t.Helper()
	result, err := f.Fitted()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Restore(encode(t, result)); err != nil {
		t.Fatal(err)
	}
}

// writeSeed makes ROOT/set/seed_NNNN/npy/fields.npy of that shape; value of frame f, cell i, channel c is f + i/1000 + 10c.
func writeSeed(t *testing.T, root string, seed int, shape [4]int) string {
	t.Helper()
	dir := filepath.Join(root, "set", sprintf("seed_%04d", seed), "npy")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	values := make([]float32, shape[0]*shape[1]*shape[2]*shape[3])
	cells := shape[1] * shape[2]
	for i := range values {
		c, cell, f := i%shape[3], i/shape[3]%cells, i/shape[3]/cells
		values[i] = float32(f) + float32(cell)/1000 + 10*float32(c) + 100*float32(seed)
	}
	path := filepath.Join(dir, "fields.npy")
	if err := npy.WriteFile(path, shape[:], values); err != nil {
		t.Fatal(err)
	}
	return path
}
