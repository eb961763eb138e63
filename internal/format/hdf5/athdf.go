package hdf5

import (
	"fmt"
	"math"
	"slices"
	"unsafe"

	"fmsr.example/fmsr/internal/frames"
)

// athdf is a frame of Athena++: its variables (variables, blocks, nx3, nx2, nx1), in
// MeshBlocks, whose places in the grid LogicalLocations gives. x1 runs along W, x2 along H.
type athdf struct {
	object
	order  []string
	places map[string]place
	block  [2]int // cells of a block along x1 and x2
	grid   [2]int
	at     [][2]int // the place of each block, in blocks
}

// place is a variable of a dataset.
type place struct {
	dataset string
	index   int
}

func newAthdf(o object) (*athdf, error) {
	a := &athdf{object: o, places: map[string]place{}}
	if err := a.variables(); err != nil {
		return nil, err
	}
	blocks, err := o.whole(".", "NumMeshBlocks", 1)
	if err != nil {
		return nil, err
	}
	size, err := o.whole(".", "MeshBlockSize", 3)
	if err != nil {
		return nil, err
	}
	root, err := o.whole(".", "RootGridSize", 3)
	if err != nil {
		return nil, err
	}
	if root[2] > 1 || size[2] != 1 {
		return nil, fmt.Errorf("a grid of %v cells: fmsr reads fields of 2 dimensions", root)
	}
	level, err := a.level(blocks[0])
	if err != nil {
		return nil, err
	}
	if size[0] < 1 || size[1] < 1 || level > 20 || root[0] > most || root[1] > most {
		return nil, fmt.Errorf("MeshBlocks of %v cells in a grid of %v, level %d", size, root, level)
	}
	a.block, a.grid = [2]int{size[0], size[1]}, [2]int{root[0] << level, root[1] << level}
	return a, a.locate(blocks[0])
}

// variables finds the dataset of each variable.
func (a *athdf) variables() error {
	datasets, err := a.texts(".", "DatasetNames")
	if err != nil {
		return err
	}
	lengths, err := a.whole(".", "NumVariables", len(datasets))
	if err != nil {
		return err
	}
	if a.order, err = a.texts(".", "VariableNames"); err != nil {
		return err
	}
	i := 0
	for d, dataset := range datasets {
		for v := range lengths[d] {
			if i == len(a.order) {
				return fmt.Errorf("%d names of variables for %v of the datasets %v", i, lengths, datasets)
			}
			a.places[a.order[i]] = place{dataset, v}
			i++
		}
	}
	if i != len(a.order) || i == 0 {
		return fmt.Errorf("%d names of variables for %v of the datasets %v", len(a.order), lengths, datasets)
	}
	return nil
}

// level returns the level of all blocks, which must be one.
func (a *athdf) level(blocks int) (int, error) {
	levels, err := a.all("Levels", []int{blocks})
	if err != nil {
		return 0, err
	}
	low, high := slices.Min(levels), slices.Max(levels)
	if low != high {
		return 0, fmt.Errorf("MeshBlocks of the levels %g to %g: fmsr reads one grid, without refinement", low, high)
	}
	if low < 0 || low != math.Trunc(low) {
		return 0, fmt.Errorf("level %g", low)
	}
	return int(min(low, 64)), nil
}

// locate reads the places of the blocks, which must fill the grid.
func (a *athdf) locate(blocks int) error {
	n := [2]int{a.grid[0] / a.block[0], a.grid[1] / a.block[1]}
	if n[0]*a.block[0] != a.grid[0] || n[1]*a.block[1] != a.grid[1] || n[0]*n[1] != blocks {
		return fmt.Errorf("%d MeshBlocks of %v cells: they do not fill the grid of %v", blocks, a.block, a.grid)
	}
	locations, err := a.all("LogicalLocations", []int{blocks, 3})
	if err != nil {
		return err
	}
	seen := map[[2]int]bool{}
	for b := range blocks {
		x, y := locations[3*b], locations[3*b+1]
		at := [2]int{int(x), int(y)}
		if float64(at[0]) != x || float64(at[1]) != y || at[0] < 0 || at[1] < 0 || at[0] >= n[0] || at[1] >= n[1] || seen[at] {
			return fmt.Errorf("MeshBlock %d is at (%g, %g) of %v, or another one is", b, x, y, n)
		}
		seen[at] = true
		a.at = append(a.at, at)
	}
	return nil
}

// all reads a whole dataset of that shape.
func (o object) all(name string, shape []int) ([]float64, error) {
	d, err := o.dataset(name)
	if err != nil {
		return nil, err
	}
	defer d.close()
	want := make([]uint64, len(shape))
	for i, n := range shape {
		want[i] = uint64(n)
	}
	if !slices.Equal(d.shape, want) {
		return nil, fmt.Errorf("dataset %s: shape %v, want %v", name, d.shape, want)
	}
	n, err := count(want, most)
	if err != nil || n == 0 {
		return nil, fmt.Errorf("dataset %s: shape %v: none, or too many", name, want)
	}
	values := make([]float64, n)
	return values, d.box(make([]uint64, len(want)), want, d.library.double, unsafe.Pointer(&values[0]))
}

func (a *athdf) names() []string   { return a.order }
func (a *athdf) trajectories() int { return 0 }

// open reads a variable, (H,W).
func (a *athdf) open(name string, _ int) (*Array, error) {
	at := a.places[name]
	d, err := a.dataset(at.dataset)
	if err != nil {
		return nil, err
	}
	defer d.close()
	nx, ny := uint64(a.block[0]), uint64(a.block[1])
	want := []uint64{uint64(at.index) + 1, uint64(len(a.at)), 1, ny, nx}
	if len(d.shape) != 5 || d.shape[0] < want[0] || !slices.Equal(d.shape[1:], want[1:]) || !d.float {
		return nil, fmt.Errorf("dataset %s: shape %v, want floats of (variables, %d, 1, %d, %d)", at.dataset, d.shape, len(a.at), ny, nx)
	}
	h, w := a.grid[1], a.grid[0]
	values := make([]float64, h*w)
	start := []uint64{uint64(at.index), 0, 0, 0, 0}
	want[0] = 1
	if err := d.box(start, want, d.library.double, unsafe.Pointer(&values[0])); err != nil {
		return nil, fmt.Errorf("dataset %s: %w", at.dataset, err)
	}
	plane := make([]float64, h*w)
	for b, block := range a.at {
		for y := range a.block[1] {
			row := values[(b*a.block[1]+y)*a.block[0]:][:a.block[0]]
			copy(plane[(block[1]*a.block[1]+y)*w+block[0]*a.block[0]:], row)
		}
	}
	moments, err := a.moment()
	return &Array{Shape: []int{h, w}, Axes: "HW", Moments: moments, Domain: a.domain(), plane: plane, double: d.double}, err
}

// moment reads when the frame is of.
func (a *athdf) moment() ([]frames.Moment, error) {
	if !a.hasAttribute(".", "Time") || !a.hasAttribute(".", "NumCycles") {
		return nil, nil
	}
	time, err := a.numbers(".", "Time")
	if err != nil {
		return nil, err
	}
	cycle, err := a.whole(".", "NumCycles", 1)
	if err == nil && len(time) != 1 {
		err = fmt.Errorf("attribute Time: %d values", len(time))
	}
	if err != nil {
		return nil, err
	}
	return []frames.Moment{{Known: true, Time: time[0], Cycle: cycle[0]}}, nil
}
