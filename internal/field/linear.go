package field

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// linearWidth is the filter's width in coarse cells. Its features are the cells, row by
// row, and a constant.
const (
	linearWidth    = 9
	LinearFeatures = linearWidth*linearWidth + 1
)

// Linear is the baseline that a learned model has to beat: the best linear filter
// from a coarse field to the fine one.
//
//	coarse (H/f, W/f)     9 x 9 cells around a cell, and a constant
//	       |                    | one row of weights for each of the f x f sub-pixels,
//	       v                    v by least squares over the training frames
//	fine (H, W)           the f x f cells that the middle cell averages
//
// Beyond an edge the coarse field is periodic or, along an axis that is open, the edge's
// value is repeated. It is the filter of one field. NewLinear, Add and Solve fit one to training
// frames. LinearOf, or encoding/json, restores one that can be applied at once.
type Linear struct {
	Factor  int       `json:"factor"`
	Weights []float64 `json:"weights"` // (factor^2, LinearFeatures), once solved: the cells row by row, then the constant

	cells int
	gram  []float64 // (LinearFeatures, LinearFeatures), upper: sum of x x'
	cross []float64 // (LinearFeatures, factor^2): sum of x y'
}

// NewLinear returns an empty fit for coarse cells of factor x factor fine ones.
func NewLinear(factor int) *Linear {
	return &Linear{
		Factor: factor,
		gram:   make([]float64, LinearFeatures*LinearFeatures), cross: make([]float64, LinearFeatures*factor*factor),
	}
}

// LinearOf returns the filter of these weights (factor^2, LinearFeatures), or an error if they
// cannot be a filter's.
func LinearOf(factor int, weights []float64) (*Linear, error) {
	if want := factor * factor * LinearFeatures; len(weights) != want {
		return nil, fmt.Errorf("%d weights of a linear filter, want %d", len(weights), want)
	}
	for _, w := range weights {
		if math.IsNaN(w) || math.IsInf(w, 0) {
			return nil, fmt.Errorf("a weight of a linear filter is %g", w)
		}
	}
	return &Linear{Factor: factor, Weights: weights}, nil
}

// Cells returns the number of coarse cells that were added.
func (f *Linear) Cells() int { return f.cells }

// Add adds a fine plane (H,W) and its coarse plane (H/factor,W/factor) to the fit.
func (f *Linear) Add(coarse, fine []float32, grid Grid) {
	small, w := grid.Coarser(f.Factor), grid.W
	ch, cw := small.H, small.W
	x := patches(coarse, small)
	cells, phases := ch*cw, f.Factor*f.Factor
	y := make([]float64, cells*phases)
	for i := range cells {
		for p := range phases {
			y[i*phases+p] = float64(fine[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor])
		}
	}
	X := blas64.General{Rows: cells, Cols: LinearFeatures, Stride: LinearFeatures, Data: x}
	blas64.Syrk(blas.Trans, 1, X, 1, blas64.Symmetric{N: LinearFeatures, Stride: LinearFeatures, Data: f.gram, Uplo: blas.Upper})
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, X, blas64.General{Rows: cells, Cols: phases, Stride: phases, Data: y}, 1,
		blas64.General{Rows: LinearFeatures, Cols: phases, Stride: phases, Data: f.cross})
	f.cells += cells
}

// patches returns (cells, LinearFeatures): the cells around each cell of a plane, and 1.
func patches(plane []float32, grid Grid) []float64 {
	r := linearWidth / 2
	x := make([]float64, grid.Cells()*LinearFeatures)
	for cy := range grid.H {
		for cx := range grid.W {
			row := x[(cy*grid.W+cx)*LinearFeatures:][:LinearFeatures]
			for dy := -r; dy <= r; dy++ {
				y := beyond(cy+dy, grid.H, grid.Boundary[0])
				for dx := -r; dx <= r; dx++ {
					row[(dy+r)*linearWidth+dx+r] = float64(plane[y*grid.W+beyond(cx+dx, grid.W, grid.Boundary[1])])
				}
			}
			row[LinearFeatures-1] = 1
		}
	}
	return x
}

// beyond returns the cell among n along an axis whose value cell i has.
func beyond(i, n int, b Boundary) int {
	if b == Periodic {
		return ((i % n) + n) % n
	}
	return min(max(i, 0), n-1)
}

// Solve finds the weights. A ridge of 1e-10 of the mean diagonal is added, because
// smooth fields leave some directions without data.
func (f *Linear) Solve() error {
	if f.cells == 0 {
		return errors.New("linear filter: no training frame")
	}
	gram := mat.NewSymDense(LinearFeatures, f.gram)
	ridge := 1e-10 * mat.Trace(gram) / LinearFeatures
	for i := range LinearFeatures {
		gram.SetSym(i, i, gram.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return errors.New("linear filter: the normal equations are singular")
	}
	phases := f.Factor * f.Factor
	var w mat.Dense
	if err := chol.SolveTo(&w, mat.NewDense(LinearFeatures, phases, f.cross)); err != nil {
		var ill mat.Condition
		if !errors.As(err, &ill) { // the data has next to nothing along ill-conditioned directions
			return fmt.Errorf("linear filter: %w", err)
		}
	}
	f.Weights = make([]float64, phases*LinearFeatures)
	for p := range phases {
		for i := range LinearFeatures {
			f.Weights[p*LinearFeatures+i] = w.At(i, p)
		}
	}
	return nil
}

// Apply predicts a fine plane (H,W) from its coarse plane (H/factor,W/factor).
func (f *Linear) Apply(dst, coarse []float32, grid Grid) {
	cw, w := grid.W/f.Factor, grid.W
	x := patches(coarse, grid.Coarser(f.Factor))
	for i := range len(x) / LinearFeatures {
		row := x[i*LinearFeatures:][:LinearFeatures]
		for p := range f.Factor * f.Factor {
			sum := 0.0
			for j, weight := range f.Weights[p*LinearFeatures:][:LinearFeatures] {
				sum += weight * row[j]
			}
			dst[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor] = float32(sum)
		}
	}
}
