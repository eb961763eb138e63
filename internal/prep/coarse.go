package prep

// Coarse is the plane (h/factor,w/factor) that a plane (h,w) of x_lo was
// interpolated from, to rounding, whether pooling or a coarse run gave it: along
// an axis x_lo is a straight line between the middles of coarse cells, and two
// fine cells on it lead back to a middle.
func Coarse(dst, lo []float32, h, w, factor int, periodic bool) {
	rows, cols := middles(h, factor, periodic), middles(w, factor, periodic)
	for y, r := range rows {
		near, next := lo[r.near*w:][:w], lo[r.next*w:][:w]
		for x, c := range cols {
			dst[y*len(cols)+x] = float32(r.extend(c.of(near), c.of(next)))
		}
	}
}

// middle is a coarse cell's along an axis: the fine cell at it, or just beyond,
// the one after that, and how many of their distances to go back.
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
		if edge := i == len(all)-1 && !periodic; factor%2 == 0 && !edge { // an edge's value goes on beyond it
			all[i].next, all[i].back = (near+1)%fine, 0.5
		}
	}
	return all
}
