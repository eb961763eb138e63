package stages

import (
	"context"

	"fmsr.example/fmsr/internal/profile"
	"fmsr.example/fmsr/internal/torchx"
)

// recorder lets a profile record a torch thread's operations.
type recorder struct{ *torchx.Thread }

// Recorded ends the recording and returns its operations.
func (r recorder) Recorded(ctx context.Context) ([]profile.Op, error) {
	spans, err := r.Thread.Recorded(ctx)
	ops := make([]profile.Op, len(spans))
	for i, s := range spans {
		ops[i] = profile.Op(s)
	}
	return ops, err
}
