package stages_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/stages"
)

// TestComposeReportsEverything: a flow in code is held to what one in YAML is.
func TestComposeReportsEverything(t *testing.T) {
	type stranger struct{}
	_, err := pipeline.Compose(func(r *pipeline.Run) { r.Threads = -1 },
		pipeline.With(func(c *stages.Batch) { c.Size = 0 }),
		pipeline.With[stranger](nil),
	)
	for _, want := range []string{
		"run.threads: is -1: want 0 to 1024",
		"flow[0].batch.size: is 0: want at least 1",
		"flow[1]: no registered stage has a config of type stages_test.stranger",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want in it %q", err, want)
		}
	}
	if _, err = pipeline.Compose(nil); err == nil || !strings.Contains(err.Error(), "flow: is empty") {
		t.Errorf("an empty flow: error %v", err)
	}
	_, err = pipeline.Compose(nil, pipeline.With[stages.NpyLoad](nil), pipeline.With[stages.Batch](nil))
	if err == nil || !strings.Contains(err.Error(), "flow[1].batch: needs planar frames: put channel_select") {
		t.Errorf("stages that do not fit: error %v", err)
	}
}

// TestComposeIsParse: the same flow in code and in YAML resolves to the same spec.
func TestComposeIsParse(t *testing.T) {
	dir := t.TempDir()
	composed, err := pipeline.Compose(func(r *pipeline.Run) { r.Dir, r.Overfit = dir, false },
		pipeline.With(func(c *stages.NpyLoad) { c.Root = dir }),
		pipeline.With(func(c *stages.ChannelSelect) { c.Channels = []string{"Bx", "jz"} }),
		pipeline.With[stages.ArrowCache](nil),
		pipeline.With(func(c *stages.Batch) { c.Size = 7 }))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := pipeline.Parse("spec.yaml", []byte(`
version: 1
run: {name: run, overfit: false, dir: `+dir+`}
flow:
  - npy_load: {root: `+dir+`}
  - channel_select: {channels: [Bx, jz]}
  - arrow_cache:
  - batch: {size: 7}
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(composed.YAML()), string(parsed.YAML()); got != want {
		t.Errorf("in code:\n%s\nin YAML:\n%s", got, want)
	}
}

// TestReceive: what comes out at the end is lent, and its error ends the run.
func TestReceive(t *testing.T) {
	spec, err := pipeline.Compose(func(r *pipeline.Run) { r.Dir = t.TempDir() }, pipeline.With[counterConfig](nil))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	run := func(fail error) error {
		got = nil
		return pipeline.Execute(context.Background(), spec, pipeline.Options{Cache: t.TempDir(), Receive: func(e pipeline.Element) error {
			got = append(got, e.Origin())
			return fail
		}})
	}
	if err := run(nil); err != nil || strings.Join(got, ";") != "seed 0, frame 0;seed 0, frame 1;seed 0, frame 2" {
		t.Errorf("received %v, error %v", got, err)
	}
	if err := run(io.ErrShortWrite); err == nil || !strings.Contains(err.Error(), "short write") || len(got) != 1 {
		t.Errorf("received %v, error %v: want the first and the receiver's error", got, err)
	}
}

// counterConfig is of a source of three frames.
type counterConfig struct{}

type counter struct{ env *pipeline.Env }

func (c *counter) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	c.env = env
	return pipeline.Meta{Channels: []string{"a"}, Grid: field.Grid{H: 1, W: 1}}, nil
}

func (c *counter) Emit(_ context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i := range 3 {
		if err := send(frames.New([]string{"a"}, field.Grid{H: 1, W: 1}, []frames.Origin{{Frame: i}}, frames.NewBuffer(c.env.Mem, 1), nil)); err != nil {
			return err
		}
	}
	return nil
}

func (c *counter) Close() error { return nil }

func init() {
	pipeline.Register(pipeline.Declaration[counterConfig]{
		Name: "counter", Doc: "Sends three frames.", Link: pipeline.Link{Adds: pipeline.Planar},
		New: func(*counterConfig) pipeline.Stage { return &counter{} },
	})
}
