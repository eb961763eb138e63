package athenak

import (
	"fmt"
	"math"
	"strconv"

	"fmsr.example/fmsr/internal/field"
)

// mesh is the cells and the domain along x1, x2 and x3.
type mesh [3]axis

type axis struct {
	n, block, ghosts int // cells of the mesh, of a MeshBlock, and ghost cells at each of its ends
	min, max         float64
	boundary         field.Boundary
}

// mostCells bounds the cells along an axis, so that no product of two overflows.
const mostCells = 1 << 30

// mesh returns the mesh that the input file describes, with AthenaK's own defaults.
func (p Parameters) mesh() (m mesh, err error) {
	whole := func(block, key string, usual int) int {
		text, ok := p[block][key]
		n, bad := strconv.Atoi(text)
		switch {
		case !ok:
			return usual
		case err == nil && (bad != nil || n < 1 || n > mostCells):
			err = fmt.Errorf("<%s> %s = %.40q: want a number of cells", block, key, text)
		}
		return n
	}
	real := func(key string) float64 {
		x, bad := strconv.ParseFloat(p["mesh"][key], 64)
		if err == nil && (bad != nil || math.IsNaN(x) || math.IsInf(x, 0)) {
			err = fmt.Errorf("<mesh> %s = %.40q: want a number", key, p["mesh"][key])
		}
		return x
	}
	if p["mesh"]["nx1"] == "" {
		return m, fmt.Errorf("the input file in its header has no <mesh> nx1")
	}
	ghosts := whole("mesh", "nghost", 2)
	for i := range m {
		a, x := &m[i], fmt.Sprint(i+1)
		a.n = whole("mesh", "nx"+x, 1)
		a.block = whole("meshblock", "nx"+x, a.n)
		if a.n > 1 {
			a.ghosts = ghosts
		}
		a.min, a.max = real("x"+x+"min"), real("x"+x+"max")
		if err == nil && !(a.min < a.max) {
			err = fmt.Errorf("<mesh> x%smin = %g, x%smax = %g", x, a.min, x, a.max)
		}
		if p["mesh"]["ix"+x+"_bc"] != "periodic" || p["mesh"]["ox"+x+"_bc"] != "periodic" {
			a.boundary = field.Open // also shear_periodic: the other side is shifted
		}
	}
	return m, err
}

// Slice asks for a plane of a 3D run. Its zero value asks for none.
type Slice struct {
	Axis     string  // x, y or z, for x1, x2 or x3, which the plane is normal to
	Index    int     // cell along the axis; -1: the one at Position
	Position float64 // along the axis, in the mesh's unit
}

// axisNames are the names of x1, x2 and x3.
const axisNames = "xyz"

// plane is the cells of the mesh that are read: those along two axes, and one along the
// third, the normal.
type plane struct {
	normal, w, h int // axes; w is the one of the lower number
	at           int // cell along the normal
}

// plane returns the plane that blocks lie in, or the one of a slice.
func (m mesh) plane(blocks []block, s Slice) (p plane, err error) {
	var flat []int
	for i := range m {
		same := true
		for _, b := range blocks {
			same = same && b.n[i] == 1 && b.first[i] == blocks[0].first[i]
		}
		if same {
			flat = append(flat, i)
		}
	}
	switch {
	case len(flat) > 1:
		return p, fmt.Errorf("%s cells: want two axes of several cells", m)
	case len(flat) == 1 && s.Axis != "":
		return p, fmt.Errorf("a plane normal to x%d already: leave the slice out", flat[0]+1)
	case len(flat) == 1:
		p.normal, p.at = flat[0], blocks[0].first[flat[0]]
	case s.Axis == "":
		return p, fmt.Errorf("%s cells, a 3D run: fmsr works on planes, so ask for one by slice, as {axis: z, index: %d} or {axis: z, position: 0}", m, m[2].n/2)
	default:
		for p.normal = 0; axisNames[p.normal:p.normal+1] != s.Axis; p.normal++ {
		}
		if p.at, err = m[p.normal].cell(s); err != nil {
			return p, fmt.Errorf("slice: %w along %s", err, s.Axis)
		}
	}
	p.w, p.h = [3]int{1, 0, 0}[p.normal], [3]int{2, 2, 1}[p.normal]
	return p, nil
}

// place returns a block's place among the MeshBlocks.
func (m mesh) place(b block) (at [3]int) {
	for i, a := range m {
		at[i] = b.first[i] / a.block
	}
	return at
}

func (m mesh) String() string { return fmt.Sprintf("%d x %d x %d", m[0].n, m[1].n, m[2].n) }

// cell returns the cell of a slice.
func (a axis) cell(s Slice) (int, error) {
	switch {
	case s.Index >= a.n:
		return 0, fmt.Errorf("cell %d of %d", s.Index, a.n)
	case s.Index >= 0:
		return s.Index, nil
	case s.Position < a.min || s.Position > a.max:
		return 0, fmt.Errorf("position %g outside %g to %g", s.Position, a.min, a.max)
	}
	return min(a.n-1, int((s.Position-a.min)/(a.max-a.min)*float64(a.n))), nil
}

// grid returns the plane's grid.
func (m mesh) grid(p plane) field.Grid {
	y, x := m[p.h], m[p.w]
	return field.Grid{H: y.n, W: x.n, Box: [2]float64{y.max - y.min, x.max - x.min}, Boundary: [2]field.Boundary{y.boundary, x.boundary}}
}
