package field

// Pool fills dst (H/factor,W/factor) with the averages of factor x factor cells of
// a plane src (H,W).
func Pool(dst, src []float32, grid Grid, factor int) {
	w, cw := grid.W, grid.W/factor
	scale := 1 / float32(factor*factor)
	for i := range dst {
		y, x := i/cw*factor, i%cw*factor
		var sum float32
		for dy := range factor {
			row := src[(y+dy)*w+x:]
			for dx := range factor {
				sum += row[dx]
			}
		}
		dst[i] = sum * scale
	}
}

// Upsampler interpolates coarse planes of one size bilinearly, as PyTorch does
// with align_corners=False. It has scratch memory: goroutines must not share it.
type Upsampler struct {
	rows, cols []tap
	line       []float32 // one coarse row, interpolated along y
}

// tap is a fine cell along an axis: the coarse cells on both sides of it, and the
// weight of the second.
type tap struct {
	lo, hi int
	weight float32
}

// NewUpsampler makes one for planes on that coarse grid. Beyond an edge the field
// is periodic or, where it is not, clamped to the edge's value.
func NewUpsampler(coarse Grid, factor int, periodic bool) *Upsampler {
	return &Upsampler{rows: taps(coarse.H, factor, periodic), cols: taps(coarse.W, factor, periodic), line: make([]float32, coarse.W)}
}

// Plane fills dst (factor H, factor W) from a plane coarse (H,W): along y into a
// row, then along x.
func (u *Upsampler) Plane(dst, coarse []float32) {
	cw, w := len(u.line), len(u.cols)
	for y, r := range u.rows {
		a, b := coarse[r.lo*cw:][:cw], coarse[r.hi*cw:][:cw]
		for x := range u.line {
			u.line[x] = a[x] + (b[x]-a[x])*r.weight
		}
		row := dst[y*w : (y+1)*w]
		for x, c := range u.cols {
			row[x] = u.line[c.lo] + (u.line[c.hi]-u.line[c.lo])*c.weight
		}
	}
}

// taps places fine cell i at (i+0.5)/factor - 0.5 in coarse cells
// (align_corners=False).
func taps(coarse, factor int, periodic bool) []tap {
	out := make([]tap, coarse*factor)
	for i := range out {
		at := (float64(i)+0.5)/float64(factor) - 0.5
		if !periodic {
			at = max(0, at)
		}
		lo := int(at+1) - 1 // floor, at > -1
		weight := float32(at - float64(lo))
		if periodic {
			out[i] = tap{(lo + coarse) % coarse, (lo + 1) % coarse, weight}
		} else {
			out[i] = tap{lo, min(lo+1, coarse-1), weight}
		}
	}
	return out
}

// Coarse undoes Upsampler: it fills dst (H/factor,W/factor) with the plane that a plane
// lo (H,W) was interpolated from, to rounding. Along an axis the interpolated values
// are on straight lines between the middles of coarse cells, so that two fine cells on
// a line lead back to a middle.
func Coarse(dst, lo []float32, grid Grid, factor int, periodic bool) {
	w := grid.W
	rows, cols := middles(grid.H, factor, periodic), middles(w, factor, periodic)
	for y, r := range rows {
		near, next := lo[r.near*w:][:w], lo[r.next*w:][:w]
		for x, c := range cols {
			dst[y*len(cols)+x] = float32(r.extend(c.of(near), c.of(next)))
		}
	}
}

// middle is the middle of a coarse cell along an axis: the fine cell at it or just
// beyond it, the next fine cell, and how many of their distances to go back.
type middle struct {
	near, next int
	back       float64
}

func (m middle) of(line []float32) float64 {
	return m.extend(float64(line[m.near]), float64(line[m.next]))
}

func (m middle) extend(near, next float64) float64 { return near + m.back*(near-next) }

func middles(fine, factor int, periodic bool) []middle {
	all := make([]middle, fine/factor)
	for i := range all {
		near := i*factor + factor/2
		all[i] = middle{near: near, next: near}
		if last := i == len(all)-1 && !periodic; factor%2 == 0 && !last { // the last middle's value is repeated beyond it
			all[i].next, all[i].back = (near+1)%fine, 0.5
		}
	}
	return all
}
