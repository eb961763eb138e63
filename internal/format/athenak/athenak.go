// Package athenak reads the .bin files of AthenaK, version 1.1, as planes (H,W).
//
//	NAME.ID.NNNNN.bin   header | MeshBlock | MeshBlock | ...      Open: one file (header.go, athenak.go)
//	                    input file's parameters                   mesh: the grid that they describe (mesh.go)
//	files of a moment   outputs (mhd_w_bcc, mhd_jz), ranks        Join: a Snapshot, read field by field (snapshot.go)
//
// A MeshBlock is ten int32: the first and last cell along x1, x2, x3 as indices in the
// block with its ghost cells, the block's place along x1, x2, x3, and its level of
// refinement. Then follow the block's edges, six reals, and the values (variables, n3, n2,
// n1) of these cells. Ghost cells in a file are left out. The format is written by
// src/outputs/binary.cpp of AthenaK.
package athenak

import (
	"encoding/binary"
	"fmt"

	"fmsr.example/fmsr/internal/store/infile"
)

// File is an open file of one moment.
type File struct {
	Header
	Path string

	file   *infile.File
	mesh   mesh
	blocks []block
}

// block is the cells of a MeshBlock that a file holds, less ghost cells.
type block struct {
	at    int64  // of its values in the file
	first [3]int // cell of the mesh, along x1, x2, x3
	n     [3]int // cells
	skip  [3]int // ghost cells before the first one
	whole [3]int // cells in the file, ghost cells included
}

// Open opens a file, and checks that its MeshBlocks are there and of one level. Errors name
// the path. Close it.
func Open(path string) (*File, error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	a := &File{Path: path, file: f}
	if err := a.parse(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

func (f *File) parse() error {
	at, err := f.Header.read(f.file, f.file.Size)
	if err != nil {
		return err
	}
	if f.mesh, err = f.Parameters.mesh(); err != nil {
		return err
	}
	for at < f.file.Size {
		b, next, err := f.block(at)
		if err != nil {
			return fmt.Errorf("MeshBlock %d: %w", len(f.blocks), err)
		}
		f.blocks, at = append(f.blocks, b), next
	}
	return nil
}

// block reads the head of the MeshBlock at a byte, and returns where the next one begins.
func (f *File) block(at int64) (b block, next int64, err error) {
	var head [10]int32
	b.at = at + int64(binary.Size(head)) + 6*int64(f.realSize)
	if b.at > f.file.Size {
		return b, 0, f.truncated(b.at)
	}
	text := make([]byte, binary.Size(head))
	if err := f.file.Fill(text, at); err != nil {
		return b, 0, err
	}
	if _, err := binary.Decode(text, binary.LittleEndian, &head); err != nil {
		return b, 0, err
	}
	if level := head[9]; level != 0 {
		return b, 0, fmt.Errorf("level %d of refinement: only runs without mesh refinement are read", level)
	}
	size := int64(f.valueSize) * int64(len(f.Variables))
	for i, a := range f.mesh {
		first, last := int64(head[2*i]), int64(head[2*i+1])
		n := last - first + 1
		if first < 0 || n < 1 || n > f.file.Size/size {
			return b, 0, fmt.Errorf("cells %d to %d along x%d in a file of %d bytes", first, last, i+1, f.file.Size)
		}
		size *= n
		b.whole[i], b.skip[i] = int(n), max(0, a.ghosts-int(first))
		from, to := max(0, int(first)-a.ghosts), min(a.block-1, int(last)-a.ghosts)
		b.first[i], b.n[i] = int(head[6+i])*a.block+from, to-from+1
		if b.n[i] < 1 || b.first[i] < 0 || b.first[i]+b.n[i] > a.n {
			return b, 0, fmt.Errorf("cells %d to %d of block %d along x%d: the mesh has %d cells in blocks of %d with %d ghost cells", first, last, head[6+i], i+1, a.n, a.block, a.ghosts)
		}
	}
	if next = b.at + size; next > f.file.Size {
		return b, 0, f.truncated(next)
	}
	return b, next, nil
}

func (f *File) truncated(want int64) error {
	return fmt.Errorf("truncated: it has %d bytes, and the MeshBlock ends at byte %d", f.file.Size, want)
}

// Stamp returns the stamp of the open file.
func (f *File) Stamp() infile.Stamp { return f.file.Stamp }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }
