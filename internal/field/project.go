package field

// ProjectPositive moves a positive plane fine (H,W) to one with the averages coarse
// (H/factor,W/factor) that is positive too: it multiplies every block by the quotient of the
// two averages.
func ProjectPositive(fine, coarse []float32, grid Grid, factor int) {
	w, cw := grid.W, grid.W/factor
	for i, want := range coarse {
		y, x := i/cw*factor, i%cw*factor
		sum := 0.0
		for dy := range factor {
			for _, v := range fine[(y+dy)*w+x:][:factor] {
				sum += float64(v)
			}
		}
		ratio := float64(want) * float64(factor*factor) / sum
		for dy := range factor {
			row := fine[(y+dy)*w+x:][:factor]
			for dx, v := range row {
				row[dx] = float32(float64(v) * ratio)
			}
		}
	}
}

// ProjectCoarse moves a plane fine (H,W) to the nearest plane whose averages over
// factor x factor cells are coarse (H/factor,W/factor): it adds to every fine cell
// what the average of its block lacks. Afterwards Pool(fine) == coarse, to round-off.
//
// The move is the orthogonal projection onto the planes with these averages, so it
// cannot take fine further from a truth that has them: |fine' - truth| <= |fine - truth|.
func ProjectCoarse(fine, coarse []float32, grid Grid, factor int) {
	w, cw := grid.W, grid.W/factor
	for i, want := range coarse {
		y, x := i/cw*factor, i%cw*factor
		sum := 0.0
		for dy := range factor {
			for _, v := range fine[(y+dy)*w+x:][:factor] {
				sum += float64(v)
			}
		}
		lacks := float64(want) - sum/float64(factor*factor)
		for dy := range factor {
			row := fine[(y+dy)*w+x:][:factor]
			for dx, v := range row {
				row[dx] = float32(float64(v) + lacks)
			}
		}
	}
}
