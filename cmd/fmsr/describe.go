package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr/pipeline"
)

func lintCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "lint SPEC...",
		Short:   "Check specs: report every problem with its place",
		Example: "  fmsr lint specs/full.yaml my.yaml",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			var first error
			for _, path := range args {
				_, err := loadSpec(path, nil)
				if err == nil {
					fmt.Fprintf(out, "%s: ok\n", path)
					continue
				}
				if first != nil {
					fmt.Fprintln(out, first)
				}
				first = err
			}
			return first
		},
	}
}

func listCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the stages and sinks",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { pipeline.List(out) },
	}
}

func describeCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "describe STAGE",
		Short:   "Show what a stage does, its keys, defaults and flags",
		Example: "  fmsr describe pool_upsample",
		Args:    usage(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			decl, ok := pipeline.Lookup(args[0])
			if !ok {
				return &pipeline.InputError{Err: fmt.Errorf("no stage %q: fmsr list shows them", args[0])}
			}
			pipeline.Describe(out, decl)
			return nil
		},
	}
}
