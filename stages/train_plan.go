package stages

import (
	"fmt"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

var _ pipeline.Planner = (*train)(nil)

// Plan returns what each of so many ranks would hold, read and send, and how fast they
// could be.
func (t *train) Plan(ask pipeline.Ask) ([]pipeline.Fact, error) {
	samples, err := pipeline.OfBatch(t.in.Batch, ask.Ranks)
	if err != nil {
		return nil, err
	}
	net, err := model.Plan(t.config)
	if err != nil {
		return nil, err
	}
	weights, activations := float64(model.WeightBytes(net)), t.sampleBytes(net)*float64(samples)
	frame := 4 * float64(len(t.in.Channels)*t.in.Cells())
	batch := t.in.Batch * t.Accumulate
	sends := allReduced(4*float64(model.Count(net)), ask.Ranks)
	grid := t.in.Grid.String()
	if m := net.Multiple(); t.in.H%m != 0 || t.in.W%m != 0 {
		grid += fmt.Sprintf(", continued to multiples of %d,", m)
	}
	facts := []pipeline.Fact{
		{Name: "samples", Text: fmt.Sprintf("%d of the %d of a batch (batch.size); cells %s, fields %d; batches a step %d", samples, t.in.Batch, grid, len(t.in.Channels), t.Accumulate)},
		{Name: "memory", Text: fmt.Sprintf("%.2f GB: %.2f GB for %.1f M weights, their average, gradient and moments, and the copy that rank 0 saves; %.2f GB for a step's activations (%s)",
			(weights+activations)/1e9, weights/1e9, float64(model.Count(net))/1e6, activations/1e9, t.precision())},
		{Name: "reads", Text: fmt.Sprintf("%.3g MB a step from the cached frames", frame*float64(samples*t.Accumulate)/1e6)},
		{Name: "sends", Text: fmt.Sprintf("%.4g MB a step, and receives as much: gradients in float32", sends/1e6)},
		{Name: "steps", Text: fmt.Sprintf("%d, %s each: %s epochs of %s", t.TotalSteps, words.Count(batch, "frame"), t.epochs(batch), words.Count(t.in.Frames[frames.Train], "training frame"))},
	}
	return append(facts, t.pace(ask, sends)...), nil
}

// pace returns how fast the ranks could step, if the time of a rank's own work is known.
// Communication begins with the backward pass, two thirds of the work: at best all of it
// hides there, at worst nothing does.
func (t *train) pace(ask pipeline.Ask, sends float64) []pipeline.Fact {
	if ask.StepSeconds == 0 {
		return nil
	}
	work, wire := ask.StepSeconds, sends*8/(ask.LinkGbit*1e9)
	best, worst := max(work, work/3+wire), work+wire
	hours := func(step float64) float64 { return float64(t.TotalSteps) * step / 3600 }
	return []pipeline.Fact{{Name: "speed", Text: fmt.Sprintf(
		"%.4g to %.4g steps/hour: %.3g s of work and %.3g s on a link of %g Gbit/s a step, which hides behind the backward pass or not; %.3g to %.3g hours for the run; efficiency %.0f to %.0f%%",
		3600/worst, 3600/best, work, wire, ask.LinkGbit, hours(best), hours(worst), 100*work/worst, 100*work/best)}}
}

// allReduced returns the bytes that each rank sends, and receives, to sum bytes over all
// ranks in a ring: each part goes around twice, but for the rank's own.
func allReduced(bytes float64, ranks int) float64 {
	return 2 * bytes * float64(ranks-1) / float64(ranks)
}
