package evaluate

// Evaluation is what was found at a training step, for the sinks that follow.
type Evaluation struct {
	Scalars  []Scalar // finite, in the order in which logs have them
	Figures  Figures
	Pictures []Picture
	Seconds  float64 // wall time that it took
}

// Scalar is one named figure, "val/mse".
type Scalar struct {
	Name  string
	Value Figure
}

// Picture is one PNG, by the name under which it is logged: "samples/velx".
type Picture struct {
	Name string
	PNG  []byte
}

// Finite splits scalars into those that are finite and the names of the others,
// which logs have no way to write.
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
