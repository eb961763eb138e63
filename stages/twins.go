package stages

import (
	"bytes"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// warnOfTwins notes that validation or test frames have the values of training frames: a
// seed's files are there twice, or a restarted simulation wrote a frame again.
func (s stored) warnOfTwins(env *pipeline.Env) error {
	if env.Run.Overfit { // the same frames are both, and the run says so
		return nil
	}
	n, held, train, err := s.twins()
	if n > 0 {
		env.Progress.Note("warning: %v (%s) has the same values as %v (train): %d of the validation and test frames are training frames too, so that the model looks better than it is",
			held, held.Split, train, n)
	}
	return err
}

// twins returns the number of validation and test frames whose x_hi is that of a training
// frame, and the first such pair.
func (s stored) twins() (n int, held, train frames.Origin, err error) {
	training := map[uint32][]int{} // by their checksum
	for i, split := range s.splits {
		if split == frames.Train {
			training[s.sum(i)] = append(training[s.sum(i)], i)
		}
	}
	for i, split := range s.splits {
		if split == frames.Train {
			continue
		}
		for _, j := range training[s.sum(i)] {
			one, other, same, err := s.same(i, j)
			if err != nil {
				return n, held, train, err
			}
			if !same {
				continue
			}
			if n++; n == 1 {
				held, train = one, other
			}
			break
		}
	}
	return n, held, train, nil
}

// same reports whether frames i and j have the same x_hi, and returns their origins.
func (s stored) same(i, j int) (one, other frames.Origin, same bool, err error) {
	a, err := s.read(i)
	if err != nil {
		return one, other, false, err
	}
	defer a.Release()
	b, err := s.read(j)
	if err != nil {
		return one, other, false, err
	}
	defer b.Release()
	return a.Origins[0], b.Origins[0], bytes.Equal(a.Hi.Bytes(), b.Hi.Bytes()), nil
}
