package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/liveview"
	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/pipeline"
)

func watchCommand(out io.Writer) *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		GroupID: aboutRuns,
		Use:     "watch RUN...",
		Short:   "Show training runs that were started elsewhere, from their folders",
		Long: `watch shows what the folders of training runs say, several beside each other: how far
each run is, loss and validation, speed, the slowest stage, the step of the checkpoint, memory,
and the verdict of the last evaluation. It reads files alone, also those of a job on another
machine, and writes nothing.

It ends when all runs have taken their last step, or by Ctrl-C. When it does not write to a terminal, it
prints once what the folders say.

Exit status: 0 all runs have ended, or printed once; 2 a folder is not a run's; 130 Ctrl-C.`,
		Example: `  fmsr watch runs/first
  fmsr watch runs/first runs/second
  ssh cluster fmsr watch --once runs/first`,
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			watch, err := liveview.NewWatch(args)
			if err != nil {
				return &pipeline.InputError{Err: err}
			}
			defer watch.Close()
			screen := terminal.Screen(out)
			if once || screen == nil {
				watch.Snapshot(out)
				return nil
			}
			watch.Show(cmd.Context(), screen)
			if cmd.Context().Err() != nil {
				return quiet{context.Cause(cmd.Context())}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print once what the folders say")
	return cmd
}
