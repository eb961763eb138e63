package stages

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

var (
	_ pipeline.Rehearser  = (*train)(nil)
	_ pipeline.Forecaster = (*train)(nil)
)

// rehearsedSteps is how many training steps a dry run takes. The first one, in which libtorch
// makes its kernels, does not count.
const rehearsedSteps = 3

// Rehearse takes training steps on one batch, from fresh weights, and measures them.
func (t *train) Rehearse(ctx context.Context, in pipeline.Element) (bool, error) {
	batch := in.(*frames.Frames)
	if batch.Split() != frames.Train {
		return false, nil
	}
	net, err := model.Plan(t.config)
	if err == nil {
		err = t.checkMemory(net, hostmem.Left())
	}
	if err == nil {
		err = t.make(ctx)
	}
	for range rehearsedSteps {
		if err != nil {
			return true, err
		}
		began := time.Now()
		for i := range t.Accumulate {
			t.batches = append(t.batches, batch.Origins)
			if err = t.step(ctx, batch, i == 0, i == t.Accumulate-1); err != nil {
				return true, err
			}
		}
		t.batches = nil
		if err = t.trainer.Settle(ctx); err != nil {
			return true, err
		}
		t.rehearsed = append(t.rehearsed, time.Since(began))
	}
	return true, nil
}

// stepTime returns the mean time of the steps after the first; 0: none was taken.
func (t *train) stepTime() (mean time.Duration) {
	if len(t.rehearsed) < 2 {
		return 0
	}
	for _, d := range t.rehearsed[1:] {
		mean += d / time.Duration(len(t.rehearsed)-1)
	}
	return mean
}

// Forecast says what the training needs and takes.
func (t *train) Forecast(f *pipeline.Forecast) {
	net, err := model.Plan(t.config)
	if err != nil { // which Open has refused
		return
	}
	config, count := net.Config(), model.Count(net)
	f.Say("network", "%s, %d parameters (model_channels %d, channel_mult %s)", config.Network, count, config.Channels, strings.Trim(fmt.Sprint(config.Mult), "[]"))
	f.From, f.To, f.Most = t.env.Resume.Steps, t.stop, t.MostEvaluations()
	batch := t.in.Batch * t.Accumulate
	f.Say("steps", "%d, %s each: %s epochs of %s", t.TotalSteps, words.Count(batch, "frame"), t.epochs(batch), words.Count(t.in.Frames[frames.Train], "training frame"))
	t.forecastMemory(f, net)
	t.forecastTime(f)
	t.forecastDisk(f, float64(count))
}

func (t *train) forecastMemory(f *pipeline.Forecast, net model.Net) {
	precision := t.precision()
	weights, activations := float64(model.WeightBytes(net)), t.sampleBytes(net)*float64(t.in.Batch)
	if t.config.Device != torchx.CPU {
		f.Say("device", "%s: about %.3g GB of its memory, which is not looked at; %s", t.config.Device, (weights+activations)/1e9, precision)
		return
	}
	f.Memory(weights, "weights, their average, gradient and moments, and the copy that is saved")
	f.Memory(activations, fmt.Sprintf("a step's activations (%s)", precision))
}

// precision names the numbers of a step's activations.
func (t *train) precision() string {
	if t.UseBF16 {
		return "bf16"
	}
	return "float32"
}

// manyDays is the time from which on a dry run suggests a smaller network.
const manyDays = 2

func (t *train) forecastTime(f *pipeline.Forecast) {
	step, left := t.stepTime(), max(0, f.To-f.From)
	if step == 0 {
		return
	}
	f.Work = step / time.Duration(model.StepsOfForward*t.SamplesAStep(t.in.Batch))
	f.Say("a step", "%.3g s: the mean of %d, after one that warms up", step.Seconds(), len(t.rehearsed)-1)
	f.Time(step*time.Duration(left), "%s", words.Count(left, "step"))
	days := (step * time.Duration(left)).Hours() / 24
	if small := 32; t.config.Device == torchx.CPU && days > manyDays && t.ModelChannels > small {
		f.Say("advice", "about %.0f days on this CPU: see --model-channels %d, or use a GPU", days, small)
	}
}

// forecastDisk adds the checkpoints: weights, average and two moments in each. While one is
// written, the last one is still there.
func (t *train) forecastDisk(f *pipeline.Forecast, parameters float64) {
	tensors, kept := 3.0, t.env.Run.Keep+1
	if t.averages() {
		tensors++
	}
	if every := t.env.Run.KeepEvery; every > 0 {
		kept += t.stop / every
	}
	if t.Best != "" {
		kept++
	}
	f.Disk(t.env.Run.Dir, 4*tensors*parameters*float64(kept), fmt.Sprintf("checkpoints, at most %d at once", kept))
}

// epochs returns how often the steps see each training frame, for messages.
func (t *train) epochs(batch int) string {
	n := float64(t.TotalSteps) * float64(batch) / float64(t.in.Frames[frames.Train])
	if n >= 100 {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprintf("%.3g", n)
}
