package stages

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

// writeRun makes ROOT/SET/seed_NNNN/npy/f.npy of that shape, with golden values.
func writeRun(t *testing.T, root, set string, seed int, shape ...int) []float32 {
	t.Helper()
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(golden.U(uint64(seed), uint64(i)))
	}
	path := filepath.Join(root, set, fmt.Sprintf("seed_%04d", seed), "npy", "f.npy")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := npy.WriteFile(path, shape, values); err != nil {
		t.Fatal(err)
	}
	return values
}

// pairs opens a pair_load and hands what it emits to look.
func pairs(t *testing.T, c PairLoad, look func(f *frames.Frames)) (pipeline.Meta, error) {
	t.Helper()
	l := &pairLoad{PairLoad: c}
	meta, err := l.Open(context.Background(), testEnv(t), pipeline.Meta{})
	if err != nil {
		return meta, err
	}
	err = l.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error {
		look(e.(*frames.Frames))
		e.Release()
		return nil
	})
	return meta, errors.Join(err, l.Close())
}

// TestPairLoad: x_hi is the fine frame, Coarse the coarse one and x_lo what
// pool_upsample's interpolation makes of it, which is checked at a corner.
func TestPairLoad(t *testing.T) {
	root := t.TempDir()
	fine := writeRun(t, root, "fine", 3, 3, 4, 8, 2)
	coarse := writeRun(t, root, "coarse", 3, 2, 2, 4, 2)
	c := PairLoad{Root: root, Fine: "fine", Coarse: "coarse", Fields: []string{"a", "b"}, Channels: []string{"b"},
		FineFrames: []int{2, 0}, CoarseFrames: []int{0, 1}, Boundary: "periodic"}
	var got []string
	meta, err := pairs(t, c, func(f *frames.Frames) {
		o := f.Origins[0]
		match := map[int]int{2: 0, 0: 1}[o.Frame]
		got = append(got, fmt.Sprintf("%s %s %d x %d", o, strings.Join(f.Channels, ","), f.H, f.W))
		for i, v := range frames.Floats(f.Hi) {
			if want := fine[(o.Frame*32+i)*2+1]; v != want {
				t.Fatalf("%s: x_hi[%d] is %g, want %g", o, i, v, want)
			}
		}
		small := frames.Floats(f.Coarse)
		if len(small) != 8 {
			t.Fatalf("%d coarse values, want 8", len(small))
		}
		for i, v := range small {
			if want := coarse[(match*8+i)*2+1]; v != want {
				t.Fatalf("%s: Coarse[%d] is %g, want %g", o, i, v, want)
			}
		}
		// the corner lies a quarter of a coarse cell before the first centre, on both axes
		want := 9./16*small[0] + 3./16*small[3] + 3./16*small[4] + 1./16*small[7]
		golden.Near(t, "x_lo at the corner", float64(frames.Floats(f.Lo)[0]), float64(want), 1e-6)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s := strings.Join(got, "; "); s != "seed 3, frame 2 b 4 x 8; seed 3, frame 0 b 4 x 8" {
		t.Errorf("emitted %s", s)
	}
	if meta.Factor != 2 || !meta.Periodic || meta.H != 4 || meta.W != 8 || meta.Frames[frames.Train] != 2 || !slices.Equal(meta.Channels, []string{"b"}) {
		t.Errorf("meta %+v", meta)
	}
}

// TestPairLoadInTime: splits in time keep pairs together, and follow the fine frames'
// order in time.
func TestPairLoadInTime(t *testing.T) {
	root := t.TempDir()
	writeRun(t, root, "fine", 3, 6, 4, 8, 1)
	coarse := writeRun(t, root, "coarse", 3, 3, 2, 4, 1)
	c := PairLoad{Root: root, Fine: "fine", Coarse: "coarse", Fields: []string{"a"}, Channels: []string{"a"}, Boundary: "clamp",
		FineFrames: []int{5, 0, 3}, CoarseFrames: []int{2, 0, 1}, Splitting: Splitting{SplitTime: &SplitTime{Train: 0.5, Val: 0.5, Gap: 1}}}
	var got []string
	meta, err := pairs(t, c, func(f *frames.Frames) {
		o := f.Origins[0]
		got = append(got, fmt.Sprint(o.Frame, o.Split))
		match := map[int]int{0: 0, 5: 2}[o.Frame]
		if frames.Floats(f.Coarse)[1] != coarse[match*8+1] {
			t.Errorf("%s has the coarse frame of another moment", o)
		}
	})
	if err != nil || fmt.Sprint(got) != "[0 train 5 val]" || len(meta.Seeds) != 2 || meta.Seeds[1].Part().String() != "seed_0003.val" {
		t.Errorf("%v of %+v, %v", got, meta.Seeds, err)
	}
}

func TestPairLoadErrors(t *testing.T) {
	root := t.TempDir()
	writeRun(t, root, "fine", 0, 2, 4, 8, 1)
	writeRun(t, root, "coarse", 0, 2, 2, 4, 1)
	writeRun(t, root, "short", 0, 1, 2, 4, 1)
	writeRun(t, root, "odd", 0, 2, 3, 4, 1)
	writeRun(t, root, "same", 0, 2, 4, 8, 1)
	writeRun(t, root, "uneven", 0, 2, 1, 4, 1)
	writeRun(t, root, "other", 1, 2, 2, 4, 1)
	nan := writeRun(t, root, "nan", 0, 2, 2, 4, 1)
	nan[11] = float32(math.NaN())
	if err := npy.WriteFile(filepath.Join(root, "nan/seed_0000/npy/f.npy"), []int{2, 2, 4, 1}, nan); err != nil {
		t.Fatal(err)
	}
	base := PairLoad{Root: root, Fine: "fine", Fields: []string{"a"}, Channels: []string{"all"}, Boundary: "clamp"}
	for coarse, want := range map[string]string{
		"short":  "f.npy: 2 frames, but ",
		"odd":    "fine grid 4 x 8, coarse grid 3 x 4: want the fine grid to be the same multiple of the coarse grid along both axes",
		"same":   "fine grid 4 x 8, coarse grid 4 x 8: want the fine grid to be the same multiple",
		"uneven": "fine grid 4 x 8, coarse grid 1 x 4: want the fine grid to be the same multiple",
		"other":  "seed 0 is not in " + filepath.Join(root, "other"),
		"none":   "has no folder none: it holds",
		"nan":    "seed 0: " + filepath.Join(root, "nan/seed_0000/npy/f.npy") + ": frame 1: field a: NaN at y=0, x=3",
	} {
		c := base
		c.Coarse = coarse
		if _, err := pairs(t, c, func(*frames.Frames) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("coarse run %s: %v, want %s", coarse, err, want)
		}
	}
	c := base
	c.Coarse, c.FineFrames, c.CoarseFrames = "short", []int{1}, []int{1}
	if _, err := pairs(t, c, func(*frames.Frames) {}); err == nil || !strings.Contains(err.Error(), "1 frame, but frame 1 is asked for") {
		t.Errorf("a coarse frame that is not there: %v", err)
	}
}

// TestPairLoadRealRuns reads the MRI runs at 256 and 128, whose sixth orbits are
// their last frames.
func TestPairLoadRealRuns(t *testing.T) {
	root := os.Getenv("FMSR_DATA")
	if root == "" {
		t.Skip("FMSR_DATA is not set: it names the folder that holds mri256_nu3e-5 and mri128_nu3e-5")
	}
	c := PairLoad{Root: root, Fine: "mri256_nu3e-5", Coarse: "mri128_nu3e-5", Fields: allFields(), Channels: []string{"all"},
		FineFrames: []int{3}, CoarseFrames: []int{7}, Boundary: "periodic"}
	n := 0
	_, err := pairs(t, c, func(f *frames.Frames) {
		n++
		small, large := frames.Floats(f.Coarse), frames.Floats(f.Lo)
		for i, name := range f.Channels {
			var coarse, lo, hi field.Welford
			coarse.Merge(plan.Moments(small[i*128*128:][:128*128]))
			lo.Merge(plan.Moments(large[i*256*256:][:256*256]))
			hi.Merge(plan.Moments(frames.Floats(f.Hi)[i*256*256:][:256*256]))
			golden.Near(t, f.Origin()+" "+name+": mean of x_lo", lo.Mean, coarse.Mean, 1e-5*max(1, coarse.Std()))
			if lo.Std() > coarse.Std() || lo.Std() < 0.5*coarse.Std() || hi.Std() < 0.3*coarse.Std() || hi.Std() > 30*coarse.Std() {
				t.Errorf("%s %s: spread of x_hi %g, x_lo %g, coarse %g", f.Origin(), name, hi.Std(), lo.Std(), coarse.Std())
			}
		}
	})
	if err != nil || n != 3 {
		t.Errorf("%d pairs, %v", n, err)
	}
}
