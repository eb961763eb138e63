package model

import (
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/torchx"
)

// Objective is what a network is trained for. Flow matching is the purpose of fmsr, and
// FlowMap distils what it has learned to a few evaluations: see Distilled. The
// others train the same network for one evaluation, at t = 0, as baselines:
//
//	x1 = x_lo + v(x0, t = 0)
type Objective int

// The objectives. Regression has x0 = x_lo and the target v = x1 - x_lo, so that it learns
// the mean of all fields that the input allows. CRPS has the x0 of sampling, and its noise
// makes the members of an ensemble differ (arXiv:2606.12997): see FairCRPS.
const (
	FlowMatching Objective = iota
	Regression
	CRPS
	FlowMap
)

var objectiveNames = []string{"flow", "regression", "crps", "flow_map"}

// String returns the objective's name in specs and checkpoints.
func (o Objective) String() string { return objectiveNames[o] }

// ObjectiveNamed returns the objective of that name, an error if there is none.
func ObjectiveNamed(name string) (Objective, error) {
	i := slices.Index(objectiveNames, name)
	if i < 0 {
		return FlowMatching, fmt.Errorf("%q: want flow, regression, crps or flow_map", name)
	}
	return Objective(i), nil
}

// OneEvaluation reports whether the network gives a sample in one evaluation, without a
// solver and times.
func (o Objective) OneEvaluation() bool { return o == Regression || o == CRPS }

// each returns how many x0 each training sample has.
func (h Hyper) each() int64 {
	if h.Objective == CRPS {
		return int64(h.Members)
	}
	return 1
}

// repeated returns each sample of x (N,C,H,W) so many times in a row: (N times,C,H,W).
func repeated(s *torchx.Scope, x torchx.Tensor, times int64) torchx.Tensor {
	if times == 1 {
		return s.Alias(x)
	}
	shape := x.Shape()
	shape[0] *= times
	return s.Reshape(s.Cat(1, slices.Repeat([]torchx.Tensor{x}, int(times))...), shape...)
}

// members returns the M members (N,C,H,W) of each sample's ensemble, from x_lo (N,C,H,W), x0
// (N M,C,H,W), a sample's members in a row, and times t (N M), all 0.
func (f Flow) members(s *torchx.Scope, net Net, xLo, x0, t torchx.Tensor) (each []torchx.Tensor) {
	shape := xLo.Shape()
	members, fields := x0.Shape()[0]/shape[0], shape[1]
	c := net.Config()
	given := s.To(repeated(s, xLo, members), c.DType, c.Device, c.Format)
	x0 = s.To(x0, c.DType, c.Device, c.Format)
	ensemble := s.Add(given, Forward(s, net, s.Cat(1, x0, given), t))
	shape[1] *= members
	ensemble = s.Reshape(ensemble, shape...)
	for m := range members {
		each = append(each, s.Narrow(ensemble, 1, m*fields, fields))
	}
	return each
}

// FairCRPS returns the continuous ranked probability score of M >= 2 members x_m for the
// truth y, all of one shape, in its fair form, which is unbiased in M (Ferro 2014,
// doi:10.1002/qj.2270): the mean over the given dimensions, or over all cells, of
//
//	1/M sum_m |x_m - y| - 1/(2 M (M-1)) sum_m sum_m' |x_m - x_m'|
//
// Its expectation is least where the members are distributed as the truth is.
func FairCRPS(s *torchx.Scope, members []torchx.Tensor, y torchx.Tensor, over ...int64) torchx.Tensor {
	apart := func(a, b torchx.Tensor) torchx.Tensor { return s.Mean(s.Abs(s.AddScaled(a, b, -1)), over...) }
	m := float64(len(members))
	var score torchx.Tensor
	for i, x := range members {
		term := s.Affine(apart(x, y), 1/m, 0)
		for _, other := range members[:i] { // each pair once: the sums over m and m' have it twice
			term = s.AddScaled(term, apart(x, other), -1/(m*(m-1)))
		}
		if i == 0 {
			score = term
		} else {
			score = s.Add(score, term)
		}
	}
	return score
}

// readObjective reads the objective. Without the key, it is flow matching.
func (l *Loaded) readObjective(config *torchfile.Map) error {
	name := FlowMatching.String()
	if _, err := value(l, config, "config.", "objective", &name); err != nil {
		return err
	}
	var err error
	if l.Flow.Objective, err = ObjectiveNamed(name); err != nil {
		return fmt.Errorf("config.objective is %w", err)
	}
	return nil
}
