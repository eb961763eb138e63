package physics

import "math"

// energy sums the mean of |u|^2 / 2 over the cells, and E(k), for vectors u that it makes
// of the fields: first the frames, then the mean, then the shells.
func energy(name string, of, also []string, vector func(cell []float64) []float64) *Tally {
	return &Tally{
		Name: name, Of: of, Also: also,
		Size: func(l *Layout) int { return 2 + l.shells.Len() },
		Add: func(sums []float64, s *Sample) {
			var planes [][]float32 // u, by component
			cell := make([]float64, len(s.Made))
			for i := range s.Made[0].Values {
				for c, p := range s.Made {
					cell[c] = float64(p.Values[i])
				}
				for c, v := range vector(cell) {
					if len(planes) == c {
						planes = append(planes, make([]float32, s.Grid.Cells()))
					}
					planes[c][i] = float32(v)
					sums[1] += v * v / 2 / s.cells()
				}
			}
			sums[0]++
			for _, u := range planes {
				modes := s.forward(u)
				for i, k := range s.shells.Index {
					m := modes[i]
					sums[2+k] += s.shells.Weight(i) * (real(m)*real(m) + imag(m)*imag(m)) / 2
				}
			}
		},
	}
}

// energyMetrics returns the mean energy, its ratio to the truth's and its spectrum.
func energyMetrics(t *Tally, doc string) []Metric {
	return append(
		quantity(Metric{Name: t.Name + "_energy", Unit: "code units", Tally: t, Doc: "Mean of " + doc + "."}, meanOverFrames(1)),
		Metric{
			Name: t.Name + "_spectrum", Unit: "code units", Tally: t, Truth: true, Curve: true,
			Doc: "E(k) of " + doc + "; the sum over k = 0, 1, ... is the mean.",
			Values: func(t Totals) (out []Point) {
				for k := 1; k < t.shells.Len(); k++ {
					out = append(out, Point{X: float64(k), Value: t.Sums[2+k] / t.Sums[0]})
				}
				return out
			},
		})
}

// meanOverFrames returns a sum over the number of frames, which is the first sum.
func meanOverFrames(i int) func(t Totals, sums []float64) float64 {
	return func(_ Totals, sums []float64) float64 { return sums[i] / sums[0] }
}

var (
	magnetic = energy("magnetic", []string{"Bx", "By"}, []string{"Bz"}, func(b []float64) []float64 { return b })
	kinetic  = energy("kinetic", []string{"density", "velx", "vely"}, []string{"velz"}, func(cell []float64) []float64 {
		root := math.Sqrt(max(0, cell[0]))
		for i := range cell[1:] {
			cell[1+i] *= root
		}
		return cell[1:]
	})
)

// products sums the means of products of fields: first the frames, then each product.
func products(name string, of, also []string, count int, add func(means, cell []float64)) *Tally {
	return &Tally{
		Name: name, Of: of, Also: also,
		Size: func(*Layout) int { return 1 + count },
		Add: func(sums []float64, s *Sample) {
			cell, means := make([]float64, len(s.Made)), make([]float64, count)
			for i := range s.Made[0].Values {
				for c, p := range s.Made {
					cell[c] = float64(p.Values[i])
				}
				add(means, cell)
			}
			sums[0]++
			for i, v := range means {
				sums[1+i] += v / s.cells()
			}
		},
	}
}

// crossHelicity sums v.B, v^2 and B^2. Its fields are the components of v, then B's.
var crossHelicity = products("cross_helicity", []string{"velx", "vely", "Bx", "By"}, []string{"velz", "Bz"}, 3, func(means, cell []float64) {
	v, b := []int{0, 1}, []int{2, 3}
	if len(cell) == 6 {
		v, b = []int{0, 1, 4}, []int{2, 3, 5}
	}
	for i := range v {
		means[0] += cell[v[i]] * cell[b[i]]
		means[1] += cell[v[i]] * cell[v[i]]
		means[2] += cell[b[i]] * cell[b[i]]
	}
})

// stress sums the product of the fields: two of B, or density and two of v.
func stress(name string, of ...string) *Tally {
	return products(name, of, nil, 1, func(means, cell []float64) {
		product := 1.0
		for _, v := range cell {
			product *= v
		}
		means[0] += product
	})
}

// stressMetrics returns a stress and its ratio to the truth's.
func stressMetrics(name, doc string, of ...string) []Metric {
	return quantity(Metric{Name: name, Unit: "code units", Tally: stress(name+"_"+FieldsName(of), of...), Doc: doc}, meanOverFrames(1))
}

var mhdMetrics = join(
	energyMetrics(magnetic, "B^2 / 2, of the components that are there"),
	energyMetrics(kinetic, "rho v^2 / 2, of the components that are there"),
	[]Metric{{
		Name: "cross_helicity", Unit: "1", Tally: crossHelicity, Truth: true,
		Doc:    "<v.B> over the root of <v^2> <B^2>, over the components that are there. The truth's is right.",
		Values: func(t Totals) []Point { return one(t.Sums[1] / math.Sqrt(t.Sums[2]*t.Sums[3])) },
	}},
	stressMetrics("maxwell_stress", "<Bx By>; minus it is the Maxwell stress between the axes in the plane.", "Bx", "By"),
	stressMetrics("maxwell_stress", "<Bx Bz>; minus it is the Maxwell stress across the plane, which transports angular momentum where x is radial and z azimuthal.", "Bx", "Bz"),
	stressMetrics("reynolds_stress", "<rho vx vy>: the Reynolds stress between the axes in the plane.", "density", "velx", "vely"),
	stressMetrics("reynolds_stress", "<rho vx vz>: the Reynolds stress across the plane, of velocities relative to the shear.", "density", "velx", "velz"),
)
