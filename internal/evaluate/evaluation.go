package evaluate

import "fmsr.example/fmsr/internal/picture"

// Evaluation is the result of evaluating a training step, for the sinks below.
type Evaluation struct {
	Frames   int      // validation frames that were compared
	Scalars  []Scalar // finite, in the order of the logs
	Figures  Figures
	Pictures []Picture
	Tiles    []Picture // for pages; see Comparison.Tiles
	Record   *Record   // for pages; nil of a rank that does not measure
	Seconds  float64   // wall time that it took
}

// Scalar is one named figure, "val/mse".
type Scalar struct {
	Name  string
	Value Figure
}

// Picture is a figure under the name by which it is logged, "samples/velx", and its PNG.
type Picture struct {
	Name   string
	Figure picture.Figure
	PNG    []byte
}

// Finite returns the finite scalars, and the names of the others, which logs cannot
// hold.
func Finite(scalars []Scalar) (finite []Scalar, others []string) {
	for _, s := range scalars {
		if s.Value.Finite() {
			finite = append(finite, s)
		} else {
			others = append(others, s.Name)
		}
	}
	return finite, others
}
