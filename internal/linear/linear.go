// Package linear is the baseline that a learned model has to beat: the best
// linear filter from a coarse field to the fine one.
//
//	coarse (H/f, W/f)     9 x 9 cells around a cell, and a constant
//	       |                    | one row of weights for each of the f x f sub-pixels,
//	       v                    v by least squares over the training frames
//	fine (H, W)           the f x f cells that the middle cell averages
package linear

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// width of the filter, coarse cells; the features are its cells and a constant.
const (
	width    = 9
	features = width*width + 1
)

// Filter is the fit of one field. Its zero value is not usable; see New.
type Filter struct {
	Factor   int       `json:"factor"`
	Periodic bool      `json:"periodic"` // whether the domain wraps around, else its edge is repeated
	Weights  []float64 `json:"weights"`  // (factor^2, features), once solved

	cells int
	gram  []float64 // (features, features), upper: sum of x x'
	cross []float64 // (features, factor^2): sum of x y'
}

// New returns an empty fit for pairs that differ by that factor.
func New(factor int, periodic bool) *Filter {
	return &Filter{
		Factor: factor, Periodic: periodic,
		gram: make([]float64, features*features), cross: make([]float64, features*factor*factor),
	}
}

// Cells is how many coarse cells the fit has seen.
func (f *Filter) Cells() int { return f.cells }

// Add takes in a fine plane (h,w) and its coarse one.
func (f *Filter) Add(coarse, fine []float32, h, w int) {
	ch, cw := h/f.Factor, w/f.Factor
	x := f.patches(coarse, ch, cw)
	cells, phases := ch*cw, f.Factor*f.Factor
	y := make([]float64, cells*phases)
	for i := range cells {
		for p := range phases {
			y[i*phases+p] = float64(fine[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor])
		}
	}
	X := blas64.General{Rows: cells, Cols: features, Stride: features, Data: x}
	blas64.Syrk(blas.Trans, 1, X, 1, blas64.Symmetric{N: features, Stride: features, Data: f.gram, Uplo: blas.Upper})
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, X, blas64.General{Rows: cells, Cols: phases, Stride: phases, Data: y}, 1,
		blas64.General{Rows: features, Cols: phases, Stride: phases, Data: f.cross})
	f.cells += cells
}

// patches is (cells, features): the coarse cells around each, and 1.
func (f *Filter) patches(coarse []float32, ch, cw int) []float64 {
	r := width / 2
	x := make([]float64, ch*cw*features)
	for cy := range ch {
		for cx := range cw {
			row := x[(cy*cw+cx)*features:][:features]
			for dy := -r; dy <= r; dy++ {
				y := f.wrap(cy+dy, ch)
				for dx := -r; dx <= r; dx++ {
					row[(dy+r)*width+dx+r] = float64(coarse[y*cw+f.wrap(cx+dx, cw)])
				}
			}
			row[features-1] = 1
		}
	}
	return x
}

func (f *Filter) wrap(i, n int) int {
	if f.Periodic {
		return ((i % n) + n) % n
	}
	return min(max(i, 0), n-1)
}

// Solve finds the weights. A trace of the Gram matrix's diagonal is added to it,
// since smooth fields leave directions without data.
func (f *Filter) Solve() error {
	if f.cells == 0 {
		return errors.New("linear filter: no training frame")
	}
	gram := mat.NewSymDense(features, f.gram)
	ridge := 1e-10 * mat.Trace(gram) / features
	for i := range features {
		gram.SetSym(i, i, gram.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return errors.New("linear filter: the normal equations are singular")
	}
	phases := f.Factor * f.Factor
	var w mat.Dense
	if err := chol.SolveTo(&w, mat.NewDense(features, phases, f.cross)); err != nil {
		var ill mat.Condition
		if !errors.As(err, &ill) { // ill-conditioned directions are those that the data don't need
			return fmt.Errorf("linear filter: %w", err)
		}
	}
	f.Weights = make([]float64, phases*features)
	for p := range phases {
		for i := range features {
			f.Weights[p*features+i] = w.At(i, p)
		}
	}
	return nil
}

// Apply predicts a fine plane (h,w) from its coarse one.
func (f *Filter) Apply(dst, coarse []float32, h, w int) {
	cw := w / f.Factor
	x := f.patches(coarse, h/f.Factor, cw)
	for i := range len(x) / features {
		row := x[i*features:][:features]
		for p := range f.Factor * f.Factor {
			sum := 0.0
			for j, weight := range f.Weights[p*features:][:features] {
				sum += weight * row[j]
			}
			dst[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor] = float32(sum)
		}
	}
}
