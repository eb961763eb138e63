package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/terminal"
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
	root := newRoot(stdout, signals)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if other := (*failedRank)(nil); errors.As(err, &other) {
		return other.status
	}
	if q := (quiet{}); errors.As(err, &q) {
		return exitStatus(err)
	}
	fmt.Fprintln(stderr, "fmsr:", err)
	var failed *runFailed
	if errors.As(err, &failed) && failed.resume != "" {
		fmt.Fprintln(stderr, "to resume:", failed.resume)
	}
	return exitStatus(err)
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

func newRoot(out io.Writer, signals *signals) *cobra.Command {
	root := &cobra.Command{
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
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddCommand(runCommand(out, signals), lintCommand(out), listCommand(out), describeCommand(out), schemaCommand(out), cacheCommand(out), weightsCommand(out), mergeCommand(out), verifyCommand(out), watchCommand(out), reportCommand(out), uiCommand(out), versionCommand(out))
	return root
}

// usage returns check with an error that shows which arguments are wanted.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if check(cmd, args) != nil {
			return fmt.Errorf("%s: %d arguments: want %s", cmd.CommandPath(), len(args), cmd.UseLine())
		}
		return nil
	}
}

func versionCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print fmsr's version",
		Args:  cobra.NoArgs,
		Run:   func(*cobra.Command, []string) { fmt.Fprintln(out, "fmsr", version()) },
	}
}

// version returns the release that the binary was built from, or else its commit, or else the module's version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return versionOf(info)
}

func versionOf(info *debug.BuildInfo) string {
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	switch module := info.Main.Version; {
	case commit == "":
		return module
	case dirty == "" && strings.HasPrefix(module, "v") && !strings.Contains(module, commit): // of a tag; others end with the commit
		return module + " (" + commit + ")"
	}
	return commit + dirty
}
