package field

// ProjectPositive moves a positive plane fine (H,W) to one with the averages coarse
// (H/factor,W/factor) that is positive too: it multiplies every block by the quotient of the
// two averages.
func ProjectPositive(fine, coarse []float32, grid Grid, factor int) {
	cells := float64(factor * factor)
	moveBlocks(fine, coarse, grid, factor, func(want, sum float64) (scale, shift float64) { return want * cells / sum, 0 })
}

// ProjectCoarse moves a plane fine (H,W) to the nearest plane whose averages over
// factor x factor cells are coarse (H/factor,W/factor): it adds to every fine cell
// what the average of its block lacks. Afterwards Pool(fine) == coarse, to round-off.
//
// The move is the orthogonal projection onto the planes with these averages, so it
// cannot take fine further from a truth that has them: |fine' - truth| <= |fine - truth|.
func ProjectCoarse(fine, coarse []float32, grid Grid, factor int) {
	cells := float64(factor * factor)
	moveBlocks(fine, coarse, grid, factor, func(want, sum float64) (scale, shift float64) { return 1, want - sum/cells })
}

// moveBlocks replaces every value v of fine (H,W) by scale v + shift, which are those of its
// block of factor x factor cells: a function of the average that coarse (H/factor,W/factor)
// wants there, and of the block's sum.
func moveBlocks(fine, coarse []float32, grid Grid, factor int, by func(want, sum float64) (scale, shift float64)) {
	w, cw := grid.W, grid.W/factor
	for i, want := range coarse {
		y, x := i/cw*factor, i%cw*factor
		sum := 0.0
		for dy := range factor {
			for _, v := range fine[(y+dy)*w+x:][:factor] {
				sum += float64(v)
			}
		}
		scale, shift := by(float64(want), sum)
		for dy := range factor {
			row := fine[(y+dy)*w+x:][:factor]
			for dx, v := range row {
				row[dx] = float32(float64(v)*scale + shift)
			}
		}
	}
}
