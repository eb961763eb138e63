package stages

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/akfile"
	"fmsr.example/fmsr/pipeline"
)

// athenaRuns writes runs of n frames of 2 x 4 cells. The first cell of jz is 100 seed + frame.
func athenaRuns(t *testing.T, seeds, n int) (root string) {
	t.Helper()
	root = t.TempDir()
	for seed := range seeds {
		err := akfile.Fields(filepath.Join(root, fmt.Sprintf("mri_%02d", seed)), n, 2, 4, func(v string, frame, y, x int) float64 {
			return float64(100*seed+frame) + float64(4*y+x)/10 + float64(len(v)-2)*1000
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestAthenaLoad: a run is a seed, split as npy_load splits them; fields by either name, in
// the spec's order.
func TestAthenaLoad(t *testing.T) {
	root := athenaRuns(t, 4, 3)
	base := AthenaLoad{Root: root, Pattern: "*{seed}", Fields: []string{"jz", "density"}, Rename: []string{"dens=density"}, Slice: AthenaSlice{Index: -1}}
	identities := map[string]string{}
	for name, c := range map[string]struct {
		change  func(*AthenaLoad)
		overfit bool
		want    string
	}{
		"all":        {func(c *AthenaLoad) { c.Frames = []int{1} }, false, "0/1 train [1 2001],1/1 train [101 2101],2/1 val [201 2201],3/1 test [301 2301]"},
		"overfit":    {func(*AthenaLoad) {}, true, "0/0 val [0 2000],0/1 val [1 2001],0/2 val [2 2002],0/0 train [0 2000],0/1 train [1 2001],0/2 train [2 2002]"},
		"order":      {func(c *AthenaLoad) { c.Fields, c.Seeds, c.Frames = []string{"dens", "jz"}, []int{3}, []int{2} }, false, "3/2 train [2302 302]"},
		"in time":    {func(c *AthenaLoad) { c.Seeds, c.SplitTime = []int{1}, &SplitTime{Train: 0.34, Val: 0.66} }, false, "1/0 train [100 2100],1/1 val [101 2101],1/2 val [102 2102]"},
		"by frames":  {func(c *AthenaLoad) { c.SplitFrames = map[string][]int{"train": {0}, "val": {2}}; c.Seeds = []int{0} }, false, "0/0 train [0 2000],0/2 val [2 2002]"},
		"by folders": {func(c *AthenaLoad) { c.Root, c.Runs, c.Frames = "", []string{filepath.Join(root, "mri_03")}, []int{0} }, false, "0/0 train [300 2300]"},
		"one run":    {func(c *AthenaLoad) { c.Root, c.Frames = filepath.Join(root, "mri_02"), []int{1} }, false, "0/1 train [201 2201]"},
		"outputs": {func(c *AthenaLoad) {
			c.Fields, c.Outputs, c.Frames = []string{"jz"}, []string{"mhd_jz"}, []int{0}
			c.Seeds = []int{1}
		}, false, "1/0 train [100]"},
	} {
		t.Run(name, func(t *testing.T) {
			env, config := testEnv(t), base
			env.Run.Overfit = c.overfit
			c.change(&config)
			meta, got, err := emitted(t, env, &athenaLoad{AthenaLoad: config}, func(f *frames.Frames) any {
				if o := f.Origins[0]; o.Moment != (frames.Moment{Known: true, Time: float64(o.Frame) / 2, Cycle: 10 * o.Frame}) {
					t.Errorf("%s is of %+v", o, o.Moment)
				}
				return f.XHi()[:len(f.Channels)]
			})
			if err != nil {
				t.Fatal(err)
			}
			if s := strings.Join(got, ","); s != c.want {
				t.Errorf("emitted %s\nwant    %s", s, c.want)
			}
			if meta.Grid != (field.Grid{H: 2, W: 4, Box: [2]float64{1, 1}}) {
				t.Errorf("grid %+v", meta.Grid)
			}
			if other, ok := identities[meta.Identity]; ok {
				t.Errorf("the same identity as %s", other)
			}
			identities[meta.Identity] = name
		})
	}
}

// TestAthenaRules: contradictions in a spec.
func TestAthenaRules(t *testing.T) {
	for want, change := range map[string]func(*AthenaLoad){
		"":               func(*AthenaLoad) {},
		"root":           func(c *AthenaLoad) { c.Root, c.Runs = "a", []string{"b"} },
		"runs":           func(c *AthenaLoad) { c.Runs = []string{"b", "b"} },
		"pattern":        func(c *AthenaLoad) { c.Pattern = "run" },
		"rename":         func(c *AthenaLoad) { c.Rename = []string{"dens=rho", "velx=rho"} },
		"rename=":        func(c *AthenaLoad) { c.Rename = []string{"dens"} },
		"fields":         func(c *AthenaLoad) { c.Fields = nil },
		"slice.axis":     func(c *AthenaLoad) { c.Slice.Axis = "x1" },
		"slice.axis=":    func(c *AthenaLoad) { c.Slice.Index = 3 },
		"slice.position": func(c *AthenaLoad) { c.Slice = AthenaSlice{Axis: "z", Index: 3, Position: 0.1} },
	} {
		c := AthenaLoad{Pattern: "*{seed}", Fields: []string{"jz"}, Slice: AthenaSlice{Index: -1}}
		change(&c)
		var got []string
		c.Validate(&pipeline.Run{}, func(key, _ string, _ ...any) { got = append(got, key) })
		if s := strings.Join(got, " "); s != strings.TrimSuffix(want, "=") {
			t.Errorf("%q reported, want %q", s, want)
		}
	}
}

// TestMomentsInCache: the cache keeps when its frames are of.
func TestMomentsInCache(t *testing.T) {
	env := testEnv(t)
	c := &arrowCache{}
	if _, err := c.Open(context.Background(), env, pipeline.Meta{Channels: []string{"a"}, Grid: field.Grid{H: 1, W: 2}, Frames: map[frames.Split]int{frames.Train: 2}}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ready(context.Background(), "moments"); err != nil {
		t.Fatal(err)
	}
	for i, moment := range []frames.Moment{{}, {Known: true, Time: 6.28716803, Cycle: 1301}} {
		f := frames.New([]string{"a"}, field.Grid{H: 1, W: 2}, []frames.Origin{{Frame: i, Moment: moment}}, frames.NewBuffer(env.Mem, 2), nil)
		clear(f.XHi())
		if err := c.Write(context.Background(), f); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
	if err := c.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := gathered(t, c, pipeline.Once, 3, func(f *frames.Frames) string { return f.Origins[0].Label() }); got != "frame 0 frame 1, t = 6.287" {
		t.Errorf("replayed %s", got)
	}
}
