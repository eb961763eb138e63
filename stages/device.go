package stages

import (
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/pipeline"
)

// openDevice returns the run's device, and notes which kernels it lacks. A plan, for other
// machines, gets the CPU.
func openDevice(env *pipeline.Env) (torchx.Device, error) {
	if env.Asked != nil {
		return torchx.CPU, nil
	}
	device, err := torchx.OpenLocalDevice(env.Run.Device, env.Local)
	if err != nil {
		return device, err
	}
	if notice := device.Notice(); notice != "" {
		env.Progress.Note("%s", notice)
	}
	return device, nil
}

// usesBF16 reports whether to compute in bf16, if that is wanted. A device without
// instructions for bf16 would emulate them, several times slower than float32 and less
// exact: for such a device it writes a note and reports false. A plan trusts the spec.
func usesBF16(env *pipeline.Env, device torchx.Device, wanted bool) bool {
	if wanted && env.Asked == nil && !device.HasBF16() {
		env.Progress.Note("this processor has no instructions for bf16: computing in float32")
		return false
	}
	return wanted
}
