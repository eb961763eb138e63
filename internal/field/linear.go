package field

import (
	"errors"
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// linearWidth is the filter's width in coarse cells. Its features are the cells
// and a constant.
const (
	linearWidth    = 9
	linearFeatures = linearWidth*linearWidth + 1
)

// Linear is the baseline that a learned model has to beat: the best linear filter
// from a coarse field to the fine one.
//
//	coarse (H/f, W/f)     9 x 9 cells around a cell, and a constant
//	       |                    | one row of weights for each of the f x f sub-pixels,
//	       v                    v by least squares over the training frames
//	fine (H, W)           the f x f cells that the middle cell averages
//
// It is the fit of one field. Make it by NewLinear, Add the training frames, Solve,
// then Apply. After encoding/json has restored it, it can be applied at once.
type Linear struct {
	Factor   int       `json:"factor"`
	Periodic bool      `json:"periodic"` // whether the domain wraps around, else its edge is repeated
	Weights  []float64 `json:"weights"`  // (factor^2, linearFeatures), once solved

	cells int
	gram  []float64 // (linearFeatures, linearFeatures), upper: sum of x x'
	cross []float64 // (linearFeatures, factor^2): sum of x y'
}

// NewLinear returns an empty fit for coarse cells of factor x factor fine ones.
func NewLinear(factor int, periodic bool) *Linear {
	return &Linear{
		Factor: factor, Periodic: periodic,
		gram: make([]float64, linearFeatures*linearFeatures), cross: make([]float64, linearFeatures*factor*factor),
	}
}

// Cells returns the number of coarse cells that were added.
func (f *Linear) Cells() int { return f.cells }

// Add adds a fine plane (H,W) and its coarse plane (H/factor,W/factor) to the fit.
func (f *Linear) Add(coarse, fine []float32, grid Grid) {
	ch, cw, w := grid.H/f.Factor, grid.W/f.Factor, grid.W
	x := f.patches(coarse, ch, cw)
	cells, phases := ch*cw, f.Factor*f.Factor
	y := make([]float64, cells*phases)
	for i := range cells {
		for p := range phases {
			y[i*phases+p] = float64(fine[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor])
		}
	}
	X := blas64.General{Rows: cells, Cols: linearFeatures, Stride: linearFeatures, Data: x}
	blas64.Syrk(blas.Trans, 1, X, 1, blas64.Symmetric{N: linearFeatures, Stride: linearFeatures, Data: f.gram, Uplo: blas.Upper})
	blas64.Gemm(blas.Trans, blas.NoTrans, 1, X, blas64.General{Rows: cells, Cols: phases, Stride: phases, Data: y}, 1,
		blas64.General{Rows: linearFeatures, Cols: phases, Stride: phases, Data: f.cross})
	f.cells += cells
}

// patches returns (cells, linearFeatures): the cells around each coarse cell, and 1.
func (f *Linear) patches(coarse []float32, ch, cw int) []float64 {
	r := linearWidth / 2
	x := make([]float64, ch*cw*linearFeatures)
	for cy := range ch {
		for cx := range cw {
			row := x[(cy*cw+cx)*linearFeatures:][:linearFeatures]
			for dy := -r; dy <= r; dy++ {
				y := f.wrap(cy+dy, ch)
				for dx := -r; dx <= r; dx++ {
					row[(dy+r)*linearWidth+dx+r] = float64(coarse[y*cw+f.wrap(cx+dx, cw)])
				}
			}
			row[linearFeatures-1] = 1
		}
	}
	return x
}

func (f *Linear) wrap(i, n int) int {
	if f.Periodic {
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
	gram := mat.NewSymDense(linearFeatures, f.gram)
	ridge := 1e-10 * mat.Trace(gram) / linearFeatures
	for i := range linearFeatures {
		gram.SetSym(i, i, gram.At(i, i)+ridge)
	}
	var chol mat.Cholesky
	if !chol.Factorize(gram) {
		return errors.New("linear filter: the normal equations are singular")
	}
	phases := f.Factor * f.Factor
	var w mat.Dense
	if err := chol.SolveTo(&w, mat.NewDense(linearFeatures, phases, f.cross)); err != nil {
		var ill mat.Condition
		if !errors.As(err, &ill) { // the data has next to nothing along ill-conditioned directions
			return fmt.Errorf("linear filter: %w", err)
		}
	}
	f.Weights = make([]float64, phases*linearFeatures)
	for p := range phases {
		for i := range linearFeatures {
			f.Weights[p*linearFeatures+i] = w.At(i, p)
		}
	}
	return nil
}

// Apply predicts a fine plane (H,W) from its coarse plane (H/factor,W/factor).
func (f *Linear) Apply(dst, coarse []float32, grid Grid) {
	cw, w := grid.W/f.Factor, grid.W
	x := f.patches(coarse, grid.H/f.Factor, cw)
	for i := range len(x) / linearFeatures {
		row := x[i*linearFeatures:][:linearFeatures]
		for p := range f.Factor * f.Factor {
			sum := 0.0
			for j, weight := range f.Weights[p*linearFeatures:][:linearFeatures] {
				sum += weight * row[j]
			}
			dst[(i/cw*f.Factor+p/f.Factor)*w+i%cw*f.Factor+p%f.Factor] = float32(sum)
		}
	}
}
