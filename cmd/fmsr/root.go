package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"fmsr/internal/terminal"
	"fmsr/pipeline"

	_ "fmsr/sinks"
	_ "fmsr/stages"
)

// Exit statuses.
const (
	exitFailed = 1
	exitInput  = 2
)

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return "interrupted by " + i.signal.String() }

// execute runs the program and returns its exit status.
func execute(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signalContext()
	defer stop()
	stdout, stderr = terminal.New(stdout), terminal.New(stderr)
	root := newRoot(stdout)
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
		return 128 + int(signalled.signal)
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

// signalContext returns a context that the first SIGINT, SIGTERM, SIGUSR1 or SIGHUP ends.
// A second signal ends the process at once, but for SIGHUP, which a closed terminal sends
// more than once. Under nohup SIGHUP stays ignored. A pipe whose reader is gone ends nothing.
func signalContext() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 2) // a second one must not be lost while the first is handled
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() {
		first, ok := <-signals
		if !ok {
			return
		}
		cancel(interrupted{first.(syscall.Signal)})
		for second := range signals {
			if second != syscall.SIGHUP {
				os.Exit(128 + int(second.(syscall.Signal)))
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

func newRoot(out io.Writer) *cobra.Command {
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
	root.AddCommand(runCommand(out), lintCommand(out), listCommand(out), describeCommand(out), schemaCommand(out), cacheCommand(out), weightsCommand(out), verifyCommand(out), mergeCommand(out), versionCommand(out))
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

// version returns the commit that the binary was built from, or else the module's version.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	if commit == "" {
		return info.Main.Version
	}
	return commit + dirty
}
