package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

func lintCommand(out io.Writer) *cobra.Command {
	var sets []string
	var ask pipeline.Ask
	cmd := &cobra.Command{
		GroupID: aboutSpecs,
		Use:     "lint SPEC...",
		Short:   "Check specs: every problem, with its place",
		Long: `lint reports every problem of the specs at once, a line each: FILE:LINE:COLUMN: and
what is wrong. A warning is about what is legal and probably not meant: lint succeeds
with it, and run prints it again. Flags set keys, as in run.

Exit status: 0 no problems, 2 a spec has one.

With --ranks it also opens the data, and says what each of so many ranks would hold, read
and send, without starting anything.`,
		Example: `  fmsr lint specs/full.yaml my.yaml
  fmsr lint specs/full.yaml --data-root /data --batch-size 64 --ranks 64 \
      --step-seconds 0.4 --link-gbit 100`,
		Args: usage(cobra.MinimumNArgs(1)),
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, setUsage)
	cmd.Flags().IntVar(&ask.Ranks, "ranks", 0, "plan a run of so many ranks")
	cmd.Flags().Float64Var(&ask.StepSeconds, "step-seconds", 0, "with --ranks: seconds of a training step of one rank's samples, as measured on its device")
	cmd.Flags().Float64Var(&ask.LinkGbit, "link-gbit", 10, "with --ranks: Gbit/s that a rank can send, and receive at the same time")
	given := pipeline.AddFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkAsk(ask, cmd.Flags().Changed("ranks")); err != nil {
			return &pipeline.InputError{Err: err}
		}
		overrides, err := overridesOf(*given, sets)
		if err != nil {
			return err
		}
		var failed error
		for _, path := range args {
			if err := lint(cmd.Context(), out, path, overrides, ask); err != nil {
				fmt.Fprintln(cmd.ErrOrStderr(), message(err))
				failed = quiet{err}
			}
		}
		return failed
	}
	return cmd
}

// checkAsk returns an error if a question cannot be answered.
func checkAsk(ask pipeline.Ask, asked bool) error {
	switch {
	case asked && ask.Ranks < 1:
		return fmt.Errorf("--ranks %d: want the number of ranks", ask.Ranks)
	case !asked && ask.StepSeconds != 0:
		return errors.New("--step-seconds: want --ranks too")
	case !(ask.StepSeconds >= 0), !(ask.LinkGbit > 0):
		return fmt.Errorf("--step-seconds %g, --link-gbit %g: want positive numbers", ask.StepSeconds, ask.LinkGbit)
	}
	return nil
}

// lint checks a spec and, if ranks are asked about, prints what each would do.
func lint(ctx context.Context, out io.Writer, path string, overrides []pipeline.Override, ask pipeline.Ask) error {
	spec, err := loadSpec(path, overrides)
	if err != nil {
		return err
	}
	printWarnings(out, spec)
	if ask.Ranks == 0 {
		fmt.Fprintf(out, "%s: ok\n", path)
		return nil
	}
	facts, err := pipeline.Plan(ctx, spec, pipeline.Options{Version: version()}, ask)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: ok; each of %s:\n", path, words.Count(ask.Ranks, "rank"))
	for _, f := range facts {
		fmt.Fprintf(out, "  %-8s %s\n", f.Name, f.Text)
	}
	return nil
}

// printWarnings prints what is legal in a spec and probably not meant.
func printWarnings(out io.Writer, spec *pipeline.Spec) {
	for _, w := range spec.Warnings {
		fmt.Fprintln(out, w)
	}
}
