package stages

import (
	"fmsr/internal/torchx"
	"fmsr/pipeline"
)

// openDevice is the run's device; what it does without is told.
func openDevice(env *pipeline.Env) (torchx.Device, error) {
	device, err := torchx.OpenDevice(env.Run.Device)
	if err != nil {
		return device, err
	}
	if notice := device.Notice(); notice != "" {
		env.Progress.Note("%s", notice)
	}
	return device, nil
}
