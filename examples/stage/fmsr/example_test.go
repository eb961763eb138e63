package main

import (
	"context"
	"fmt"
	"log"

	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/stages"
)

// A program applies a trained model and gets the fine frames. It needs a checkpoint, so it is
// compiled here and not run.
func Example() {
	spec, err := pipeline.Compose(
		func(r *pipeline.Run) { r.Dir = "made" },
		pipeline.With(func(c *stages.FilesLoad) { c.Input = "coarse" }),
		pipeline.With(func(c *stages.Superres) { c.Checkpoint, c.Samples = "runs/full", 4 }),
	)
	if err != nil {
		log.Fatal(err)
	}
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{
		Receive: func(e pipeline.Element) error {
			f := e.(*pipeline.Frames) // x_hi (1,C,2H,2W) is in physical units
			fmt.Println(f.Origins[0].Frame, f.Origins[0].Sample, f.Channels, f.Grid, f.XHi()[0])
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}
