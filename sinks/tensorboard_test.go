package sinks

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// TestTensorBoardName: TensorBoard names a run by its folder. A resumed run that has another
// name has one log, under that name, with the lines of both.
func TestTensorBoardName(t *testing.T) {
	dir := t.TempDir()
	env := &pipeline.Env{Run: &pipeline.Run{Name: "before", Dir: dir}}
	for n, name := range []string{"before", "after"} {
		env.Run.Name = name
		show(t, env, &tensorboard{}, &model.Step{N: n + 1, Total: 9, Trainer: &model.Trainer{}, Line: true, Speed: 1})
		env.Resume = pipeline.Resume{Done: pipeline.Done{Steps: 1}, From: filepath.Join(dir, "checkpoint.pt"), Dir: dir}
	}
	for path, figure := range map[string]string{"after": "train/lr", "after/clock": speedName} {
		log, err := os.ReadFile(filepath.Join(dir, "tb", path, tensorboardFile))
		must(t, err)
		if n := bytes.Count(log, []byte(figure)); n != 2 {
			t.Errorf("%s has %s %d times, want 2", path, figure, n)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "tb", "*")); err != nil || len(left) != 1 {
		t.Errorf("in tb are %v (%v), want the new name alone", left, err)
	}
}
