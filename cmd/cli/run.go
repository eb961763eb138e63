package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/pipeline"
)

// shards returns the part of the work that the flag names and, without the flag,
// the part of a Slurm array's task.
func shards(flag string) (part, task pipeline.Shard, err error) {
	if flag != "" {
		part, err = pipeline.ParseShard(flag)
		return part, task, err
	}
	task, err = pipeline.SlurmShard(os.Getenv)
	return part, task, err
}

// steps is a flag's number of steps, in decimal digits: pflag takes 010 for 8.
type steps int

func (s *steps) String() string { return strconv.Itoa(int(*s)) }
func (s *steps) Type() string   { return "int" }

// Set is called by pflag when the flag is given.
func (s *steps) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return errors.New("want the number of steps")
	}
	*s = steps(n)
	return nil
}

func runCommand(out io.Writer, signals *signals, unhelped *error) *cobra.Command {
	var sets []string
	var resume, shard, dry string
	var profile, size steps
	var how output
	cmd := &cobra.Command{
		Use:     "run SPEC",
		GroupID: aboutRuns,
		Short:   "Run a spec: train, apply a model, export, report",
		Long: `run reads a spec, connects its stages and runs them. Flags set keys of the spec's
stages (fmsr run SPEC --help shows them); --set sets any key.`,
		Example: `  fmsr run specs/demo.yaml
  fmsr run specs/overfit.yaml --data-root /data --channels Bx,jz --no-bf16
  fmsr run specs/full.yaml --data-root /data --set train.print_every=10`,
		Args: usage(cobra.ExactArgs(1)),
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, setUsage)
	cmd.Flags().StringVar(&resume, "resume", "auto", "auto: resume the run in its folder; never: start over, replacing the run's files; or a checkpoint, or a run's folder, to resume from")
	cmd.Flags().StringVar(&shard, "shard", "", "I/N: work on the I-th of N parts of the seeds, or of the input files of superres, I = 1..N; set automatically in a Slurm job array (fmsr merge checks and joins them)")
	cmd.Flags().Var(&size, "ranks", "run as this many processes on this machine: each has a part of every training batch or, of a flow that does not train, is a shard (torchrun and srun start them on several)")
	cmd.Flags().Var(&profile, "profile", "report where the time of this many steps goes, and write profile.json, a trace, to the run's folder")
	cmd.Flags().Lookup("profile").NoOptDefVal = "15"
	cmd.Flags().StringVar(&dry, "dry-run", "", "open the data, try three steps in memory, and print what the run would do, need and take; nothing is written. whole: print every key of the spec too")
	cmd.Flags().Lookup("dry-run").NoOptDefVal = "short"
	how.addFlags(cmd)
	given := pipeline.AddFlags(cmd.Flags())
	usual := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, _ []string) { *unhelped = runHelp(out, cmd, usual) })
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		screen := out
		out, err := how.on(out)
		if err != nil {
			return err
		}
		place, err := placeOf(int(size))
		if err != nil {
			return err
		}
		from := ""
		if resume != "auto" && resume != "never" {
			if from, err = pipeline.ExpandPath(resume); err != nil {
				return &pipeline.InputError{Err: fmt.Errorf("--resume %w", err)}
			}
			if _, err := os.Stat(from); err != nil && place.Rank == 0 { // the others need not see it
				return &pipeline.InputError{Err: fmt.Errorf("--resume %s: want auto, never or a checkpoint: %w", resume, atomicfile.Cause(err))}
			}
		}
		spec, err := givenSpec(args[0], *given, sets)
		if err != nil {
			return err
		}
		part, task, err := shards(shard)
		if err != nil {
			return &pipeline.InputError{Err: err}
		}
		if spec.Run.OnSignal != "exit" && resume != "auto" {
			return &pipeline.InputError{Err: fmt.Errorf("--resume %s: a job that runs again (run.on_signal is %s) would not resume where it stopped: leave out --resume, or give the new run an --out of its own", resume, spec.Run.OnSignal)}
		}
		if dry != "" {
			if !place.Alone() || size > 1 {
				return &pipeline.InputError{Err: errors.New("--dry-run tries one process: leave --ranks out, or see fmsr lint --ranks")}
			}
			return dryRun(cmd.Context(), out, spec, dry, pipeline.Options{Out: out, Version: version(), Fresh: resume == "never", Resume: from, Shard: part, Task: task})
		}
		onSignal := signals.heed(spec, out)
		if place.Alone() && size > 1 {
			asked := out != screen // by flags, which the ranks get too
			return launchShown(cmd.Context(), int(size), spec, asked, screen, cmd.ErrOrStderr())
		}
		if place.Rank == 0 {
			printWarnings(out, spec)
		}
		again := os.Args
		shown, end := show(cmd.Context(), out, place, spec)
		opt := pipeline.Options{
			Out: shown, Version: version(), Fresh: resume == "never", Resume: from, Profile: int(profile), Shard: part, Task: task,
			Resumable: func() { again = withoutResume(os.Args) },
		}
		switch {
		case place.Alone():
			err = pipeline.Execute(cmd.Context(), spec, opt)
		case spec.Trains():
			err = executeRank(cmd.Context(), place, spec, opt, end)
		default:
			err = executeShare(cmd.Context(), place, spec, opt)
		}
		_ = end(err)
		var input *pipeline.InputError
		if err == nil || errors.As(err, &input) && cmd.Context().Err() == nil && !errors.As(err, new(interrupted)) {
			return err
		}
		failed := &runFailed{error: err}
		if spec.Resumable() {
			if place.Rank == 0 {
				failed.resume = shellCommand(again)
			}
			onSignal.stopped(err, place.Rank == 0 || !spec.Trains()) // shards end one by one
		}
		return failed
	}
	return cmd
}

const setUsage = "set any key: STAGE.KEY=VALUE, INDEX.KEY=VALUE or run.KEY=VALUE"

// givenSpec loads a spec with what flags and --set set.
func givenSpec(path string, flags []pipeline.Override, sets []string) (*pipeline.Spec, error) {
	overrides, err := overridesOf(flags, sets)
	if err != nil {
		return nil, err
	}
	return loadSpec(path, overrides)
}

// overridesOf returns what flags and --set set.
func overridesOf(flags []pipeline.Override, sets []string) ([]pipeline.Override, error) {
	for _, set := range sets {
		path, value, ok := strings.Cut(set, "=")
		if !ok {
			return nil, &pipeline.InputError{Err: fmt.Errorf("--set %s: want STAGE.KEY=VALUE", set)}
		}
		flags = append(flags, pipeline.Override{Path: path, Value: value, Flag: "--set " + set})
	}
	return flags, nil
}

// withoutResume returns arguments without --resume: the run's folder now says where to
// resume from.
func withoutResume(args []string) (rest []string) {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--resume":
			i++
		case !strings.HasPrefix(args[i], "--resume="):
			rest = append(rest, args[i])
		}
	}
	return rest
}

var needsQuotes = regexp.MustCompile(`[^A-Za-z0-9_@%+=:,./-]`)

// shellCommand returns arguments as a shell takes them.
func shellCommand(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = arg
		if arg == "" || needsQuotes.MatchString(arg) {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
