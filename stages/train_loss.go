package stages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fieldWeights returns the weight of each field in the loss, with a mean of 1, or nil if all
// are the same.
func (t *train) fieldWeights() ([]float64, error) {
	for _, name := range slices.Sorted(maps.Keys(t.ChannelWeights)) {
		if !slices.Contains(t.in.Channels, name) {
			return nil, fmt.Errorf("channel_weights names the field %s, which is missing: the fields are %s", name, strings.Join(t.in.Channels, ", "))
		}
	}
	weights, sum := make([]float64, len(t.in.Channels)), 0.0
	for c, name := range t.in.Channels {
		weights[c] = 1
		if w, given := t.ChannelWeights[name]; given {
			weights[c] = w
		}
		sum += weights[c]
	}
	if len(slices.Compact(slices.Clone(weights))) == 1 {
		return nil, nil
	}
	for c := range weights {
		weights[c] *= float64(len(weights)) / sum
	}
	return weights, nil
}

// weightList lists the weights for a message.
func (t *train) weightList() string {
	texts := make([]string, len(t.weights))
	for c, w := range t.weights {
		texts[c] = fmt.Sprintf("%s %.4g", t.in.Channels[c], w)
	}
	return strings.Join(texts, ", ")
}

// lossFields returns the fields whose losses are logged.
func (t *train) lossFields() []string {
	if !t.LossParts {
		return nil
	}
	return t.in.Channels
}
