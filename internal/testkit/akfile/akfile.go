// Package akfile writes .bin files as AthenaK does, for tests of what reads them.
package akfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// Run is a run of AthenaK.
type Run struct {
	N, Block [3]int     // cells along x1, x2, x3, of the mesh and of a MeshBlock
	Ghosts   bool       // the files hold the two ghost cells at each end too
	Wide     bool       // values are float64
	Level    int        // of all MeshBlocks
	Boundary string     // along x1; empty: periodic
	Box      [3]float64 // lengths; 0: 1

	// A plane as AthenaK itself slices: cell At along axis Normal, 1 to 3; 0: everything.
	Normal, At int
}

// Moment is one output: all variables at one time.
type Moment struct {
	Time      float64
	Cycle     int
	Variables []string
	Value     func(variable string, x1, x2, x3 int) float64
}

// nghost is the number of ghost cells at each end of a block.
const nghost = 2

// Blocks returns the number of MeshBlocks.
func (r Run) Blocks() int {
	return r.N[0] / r.Block[0] * (r.N[1] / r.Block[1]) * (r.N[2] / r.Block[2])
}

// Write writes the file of these MeshBlocks, in this order; nil: all.
func (r Run) Write(path string, m Moment, blocks []int) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, r.Bytes(m, blocks), 0o666)
}

// Bytes returns the contents of such a file.
func (r Run) Bytes(m Moment, blocks []int) []byte {
	var b bytes.Buffer
	width := 4
	if r.Wide {
		width = 8
	}
	input := r.input()
	fmt.Fprintf(&b, "Athena binary output version=1.1\n  size of preheader=5\n  time=%.8e\n  cycle=%d\n  size of location=4\n  size of variable=%d\n", m.Time, m.Cycle, width)
	fmt.Fprintf(&b, "  number of variables=%d\n  variables:  %s  \n  header offset=%d\n%s", len(m.Variables), strings.Join(m.Variables, "  "), len(input), input)
	if blocks == nil {
		for i := range r.Blocks() {
			blocks = append(blocks, i)
		}
	}
	for _, i := range blocks {
		r.block(&b, m, i)
	}
	return b.Bytes()
}

func (r Run) input() string {
	var b strings.Builder
	fmt.Fprintf(&b, "#--- PAR_DUMP ---\n<job>\nbasename = t # of the run\n<mesh>\nnghost = %d\n", nghost)
	for i, n := range r.N {
		boundary, half := "periodic", 0.5
		if i == 0 && r.Boundary != "" {
			boundary = r.Boundary
		}
		if r.Box[i] > 0 {
			half = r.Box[i] / 2
		}
		fmt.Fprintf(&b, "nx%d = %d\nx%dmin = %g\nx%dmax = %g\nix%d_bc = %s\nox%d_bc = %s\n", i+1, n, i+1, -half, i+1, half, i+1, boundary, i+1, boundary)
	}
	fmt.Fprintf(&b, "<meshblock>\nnx1 = %d\nnx2 = %d\nnx3 = %d\n<mesh_refinement>\nrefinement = none # Default value added at run time\n<par_end>\n", r.Block[0], r.Block[1], r.Block[2])
	return b.String()
}

func (r Run) block(b *bytes.Buffer, m Moment, i int) {
	n1, n2 := r.N[0]/r.Block[0], r.N[1]/r.Block[1]
	place := [3]int{i % n1, i / n1 % n2, i / n1 / n2}
	var first, last, ghosts [3]int
	for a := range place {
		if r.N[a] > 1 {
			ghosts[a] = nghost
		}
		first[a], last[a] = ghosts[a], ghosts[a]+r.Block[a]-1
		if r.Ghosts {
			first[a], last[a] = 0, last[a]+ghosts[a]
		}
		if a == r.Normal-1 {
			if r.At/r.Block[a] != place[a] {
				return
			}
			first[a] = ghosts[a] + r.At%r.Block[a]
			last[a] = first[a]
		}
	}
	put := func(v any) { _ = binary.Write(b, binary.LittleEndian, v) } // a buffer takes everything
	for a := range place {
		put([2]int32{int32(first[a]), int32(last[a])})
	}
	put([4]int32{int32(place[0]), int32(place[1]), int32(place[2]), int32(r.Level)})
	put([6]float32{})
	for _, v := range m.Variables {
		for k := first[2]; k <= last[2]; k++ {
			for j := first[1]; j <= last[1]; j++ {
				for i := first[0]; i <= last[0]; i++ {
					x := m.Value(v, place[0]*r.Block[0]+i-ghosts[0], place[1]*r.Block[1]+j-ghosts[1], place[2]*r.Block[2]+k-ghosts[2])
					if r.Wide {
						put(math.Float64bits(x))
					} else {
						put(float32(x))
					}
				}
			}
		}
	}
}

// Fields writes frames 0, 1, ... of a 2D run of ny x nx cells in four MeshBlocks, as the MRI
// set-up writes them: outputs mhd_w_bcc and mhd_jz in folder/bin. value gives a variable of
// a frame at row y, column x.
func Fields(folder string, frames, ny, nx int, value func(variable string, frame, y, x int) float64) error {
	run := Run{N: [3]int{nx, ny, 1}, Block: [3]int{nx / 2, ny / 2, 1}}
	for frame := range frames {
		m := Moment{Time: 0.5 * float64(frame), Cycle: 10 * frame, Value: func(v string, x, y, _ int) float64 { return value(v, frame, y, x) }}
		for id, variables := range map[string][]string{
			"mhd_w_bcc": {"dens", "velx", "vely", "velz", "eint", "bcc1", "bcc2", "bcc3"}, "mhd_jz": {"jz"},
		} {
			m.Variables = variables
			if err := run.Write(filepath.Join(folder, "bin", fmt.Sprintf("mri.%s.%05d.bin", id, frame)), m, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
