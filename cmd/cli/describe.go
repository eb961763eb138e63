package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/pipeline"
)

func listCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		GroupID: aboutSpecs,
		Short:   "List the stages and sinks",
		Args:    cobra.NoArgs,
		Run:     func(*cobra.Command, []string) { pipeline.List(out) },
	}
}

func describeCommand(out io.Writer) *cobra.Command {
	markdown := false
	cmd := &cobra.Command{
		Use:     "describe STAGE|run",
		GroupID: aboutSpecs,
		Short:   "Show what a stage does, its keys, defaults and flags",
		Long: `describe shows what a stage does, how it connects, and its keys with their types,
defaults and flags. describe run shows the keys of a spec's run section.`,
		Example: "  fmsr describe pool_upsample\n  fmsr describe run",
		RunE: func(cmd *cobra.Command, args []string) error {
			if markdown && len(args) == 0 {
				_, err := out.Write(pipeline.Reference())
				return err
			}
			if err := usage(cobra.ExactArgs(1))(cmd, args); err != nil {
				return err
			}
			if args[0] == "run" {
				pipeline.DescribeRun(out)
				return nil
			}
			decl, ok := pipeline.Lookup(args[0])
			if !ok {
				return &pipeline.InputError{Err: fmt.Errorf("no stage %q: fmsr list shows them%s", args[0], didYouMean(args[0], stageNames()))}
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
		Use:     "schema",
		GroupID: aboutSpecs,
		Short:   "Print the JSON Schema of specs, for editors",
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
