package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/pipeline"
)

func listCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the stages and sinks",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { pipeline.List(out) },
	}
}

func describeCommand(out io.Writer) *cobra.Command {
	markdown := false
	cmd := &cobra.Command{
		Use:     "describe STAGE",
		Short:   "Show what a stage does, its keys, defaults and flags",
		Example: "  fmsr describe pool_upsample",
		RunE: func(cmd *cobra.Command, args []string) error {
			if markdown && len(args) == 0 {
				_, err := out.Write(pipeline.Reference())
				return err
			}
			if err := usage(cobra.ExactArgs(1))(cmd, args); err != nil {
				return err
			}
			decl, ok := pipeline.Lookup(args[0])
			if !ok {
				return &pipeline.InputError{Err: fmt.Errorf("no stage %q: fmsr list shows them", args[0])}
			}
			pipeline.Describe(out, decl)
			return nil
		},
	}
	cmd.Flags().BoolVar(&markdown, "markdown", false, "all stages, as docs/stages.md shows them")
	return cmd
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
