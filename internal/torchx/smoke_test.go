package torchx

import (
	"context"
	"testing"
)

func TestSmoke(t *testing.T) {
	th, err := StartThread(2)
	if err != nil {
		t.Fatal(err)
	}
	defer th.Close()
	err = th.Do(context.Background(), func(s *Scope) error {
		x := s.Randn(1, 2, 3, 8, 8)
		w := s.Randn(2, 4, 5, 3, 3)
		s.Conv2d(x, w, Tensor{}, false)
		return nil
	})
	t.Log(err, Live())
}
