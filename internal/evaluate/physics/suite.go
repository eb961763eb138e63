package physics

// Suite is the metrics that ship, in the order in which tables show them. An entry that is
// added to one of these lists shows in every outlet.
var Suite = join(pointwiseMetrics, spectralMetrics, incrementMetrics, mhdMetrics, constraintMetrics, ensembleMetrics)

// tallies returns the tallies that metrics read, each once, in their order.
func tallies(metrics []Metric) (all []*Tally) {
	seen := map[*Tally]bool{}
	for i := range metrics {
		if t := metrics[i].Tally; !seen[t] {
			seen[t] = true
			all = append(all, t)
		}
	}
	return all
}
