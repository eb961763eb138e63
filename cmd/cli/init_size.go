package cli

import (
	"context"
	"fmt"
	"time"

	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/newspec"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
)

// The networks that init sizes, by model_channels, and the most cells along an axis of the
// fields that it times them on.
var sizedWidths = []int{32, 64, 128}

const timedCells = 64

// timingBudget bounds the time that init takes for timing: a width whose step would take
// longer, four times the last one's, is estimated.
const timingBudget = 6 * time.Second

// size fills in what networks of several widths take.
func size(ctx context.Context, s *newspec.Spec, timed bool) error {
	device, err := torchx.OpenLocalDevice("auto", 0)
	if err != nil {
		return err
	}
	s.Precision = "float32"
	if device.HasBF16() {
		s.Precision = "bf16"
	}
	if timed {
		s.Device = device.String()
	}
	h, w := min(s.H, timedCells), min(s.W, timedCells)
	cells := float64(s.H*s.W) / float64(h*w)
	began, last := time.Now(), time.Duration(0)
	for _, width := range sizedWidths {
		c := model.Config{Fields: s.Trained(), Channels: width, Device: device}
		net, err := model.Plan(c)
		if err != nil {
			return err
		}
		bytes := int64(model.SampleTrainBytes(net, s.H, s.W, device.HasBF16())*float64(s.Batch)) + model.WeightBytes(net)
		line := fmt.Sprintf("%14d %12d %8s", width, model.Count(net), atomicfile.Size(bytes))
		if device == torchx.CPU && bytes > hostmem.Left() {
			line += "   (more than is left here)"
			timed = false
		}
		if timed {
			estimated := time.Since(began)+3*4*last > timingBudget
			if last *= 4; !estimated {
				if last, err = model.StepTime(ctx, c, device.HasBF16(), 0, h, w); err != nil {
					return err
				}
			}
			step := time.Duration(float64(last) * cells * float64(s.Batch))
			if s.Widths == nil {
				s.Take(step)
			}
			line += fmt.Sprintf(" %10s %11s", words.Rough(step), words.Rough(step*time.Duration(s.TotalSteps)))
			if estimated {
				line += "   (estimated: four times the one above)"
			}
		}
		s.Widths = append(s.Widths, line)
	}
	if timed {
		s.TimeNote = fmt.Sprintf("Times are from one sample of %d x %d cells, and so are rough.", h, w)
	}
	return nil
}
