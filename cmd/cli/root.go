package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"

	_ "fmsr.example/fmsr/sinks"
	_ "fmsr.example/fmsr/stages"
)

// Exit statuses.
const (
	exitFailed = 1
	exitInput  = 2
)

// execute runs the program and returns its exit status.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, signals := watchSignals()
	defer signals.stop()
	stdout, stderr = terminal.New(stdout), terminal.New(stderr)
	var unhelped error
	root := newRoot(stdout, signals, &unhelped)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := cmp.Or(root.ExecuteContext(ctx), unhelped)
	if err == nil {
		return 0
	}
	if other := (*failedRank)(nil); errors.As(err, &other) {
		return other.status
	}
	if q := (quiet{}); errors.As(err, &q) {
		return exitStatus(err)
	}
	fmt.Fprintln(stderr, message(err))
	var failed *runFailed
	if errors.As(err, &failed) && failed.resume != "" {
		fmt.Fprintln(stderr, "to resume:", failed.resume)
	}
	return exitStatus(err)
}

// message returns an error as it is printed. A problem of a spec with its place has a line of
// its own, FILE:LINE:COLUMN: first, which editors understand.
func message(err error) string {
	input, ok := err.(*pipeline.InputError)
	if !ok {
		return fmt.Sprint("fmsr: ", err)
	}
	problems, ok := input.Err.(pipeline.Diagnostics)
	if !ok {
		return fmt.Sprint("fmsr: ", err)
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		if lines[i] = p.String(); p.Line == 0 {
			lines[i] = "fmsr: " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

func exitStatus(err error) int {
	var (
		signalled interrupted
		input     *pipeline.InputError
		failed    *runFailed
	)
	switch {
	case errors.As(err, &signalled):
		return signalled.status()
	case errors.As(err, &input):
		return exitInput
	case errors.As(err, &failed):
		return exitFailed
	default:
		return exitInput // from cobra: an unknown verb or flag
	}
}

// runFailed marks an error of a run that had begun.
type runFailed struct {
	error
	resume string // the command that resumes the run; empty: none does
}

func (r *runFailed) Unwrap() error { return r.error }

// newRoot returns the program's commands. Unhelped gets the error of help that cannot be shown,
// which cobra has no place for.
func newRoot(out io.Writer, signals *signals, unhelped *error) *cobra.Command {
	root := withVerbs(&cobra.Command{
		Use:   "fmsr",
		Short: "Flow-matching super-resolution of MHD fields",
		Long: `fmsr learns from pairs of fields to turn a coarse MHD field into a fine one that is
right in its statistics, and applies the trained model.`,
		Example: `  fmsr run specs/demo.yaml
  fmsr run specs/overfit.yaml --data-root /data --channels Bx --lr 1e-4
  fmsr lint my.yaml
  fmsr describe train`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	})
	asked := root.Flags().Bool("version", false, "print the version, as fmsr version does")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return torchx.CheckCPULevel() }
	verbs := root.RunE
	root.RunE = func(cmd *cobra.Command, args []string) error {
		if *asked {
			printVersion(out)
			return nil
		}
		return verbs(cmd, args)
	}
	root.SetFlagErrorFunc(flagError)
	dress(root)
	root.AddCommand(runCommand(out, signals, unhelped), lintCommand(out), listCommand(out), describeCommand(out), schemaCommand(out), cacheCommand(out), weightsCommand(out), mergeCommand(out), verifyCommand(out), watchCommand(out), lsCommand(out), compareCommand(out), graphCommand(out), reportCommand(out), uiCommand(out), completionCommand(out), initCommand(out), inspectCommand(out), versionCommand(out))
	return root
}

// usage returns check with an error that shows which arguments are wanted.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) != nil {
			verb := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
			return fmt.Errorf("%s: %s: want %s", verb, words.Count(len(args), "argument"), cmd.UseLine())
		}
		return nil
	}
}
