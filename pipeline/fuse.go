package pipeline

import "slices"

// fuse returns the stages from the source on, without the stages whose work a stage
// below them takes over.
func (r *runner) fuse() []*node {
	flow := slices.Clone(r.nodes[r.source:])
	for i := len(flow) - 1; i > 1; i-- {
		f, ok := flow[i].Stage.(Fuser)
		if !ok {
			continue
		}
		k := f.Fuse(stagesOf(flow[1:i]))
		for _, n := range flow[i-k : i] {
			n.fusedInto = flow[i]
		}
		flow = slices.Delete(flow, i-k, i)
		i -= k
	}
	return flow
}

func stagesOf(nodes []*node) []Stage {
	stages := make([]Stage, len(nodes))
	for i, n := range nodes {
		stages[i] = n.Stage
	}
	return stages
}
