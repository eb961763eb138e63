package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr/pipeline"
)

func lintCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "lint SPEC...",
		Short: "Check specs: every problem, with its place",
		Long: `lint reports every problem of the specs at once. A warning is about what is legal
and probably not meant: lint succeeds with it, and run prints it again.`,
		Example: "  fmsr lint specs/full.yaml my.yaml",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			var first error
			for _, path := range args {
				spec, err := loadSpec(path, nil)
				if err == nil {
					printWarnings(out, spec)
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

// printWarnings prints what is legal in a spec and probably not meant.
func printWarnings(out io.Writer, spec *pipeline.Spec) {
	for _, w := range spec.Warnings {
		fmt.Fprintln(out, w)
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

func schemaCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of specs, for editors",
		Long: `schema prints the JSON Schema of specs: every stage and key, with its type, default
and values. An editor with a YAML language server completes and checks a spec that
starts with the line

  # yaml-language-server: $schema=schema.json`,
		Example: "  fmsr schema > schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := out.Write(pipeline.Schema())
			return err
		},
	}
}
