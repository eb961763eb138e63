package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmsr.example/fmsr/pipeline"
)

// didYouMean returns a suggestion to put behind a message about an unknown name, or nothing.
func didYouMean(name string, known []string) string {
	if meant := pipeline.Nearest(name, known); meant != "" {
		return fmt.Sprintf(" (did you mean %q?)", meant)
	}
	return ""
}

// withVerbs makes a command without work of its own show its help, or name the verb that was
// probably meant.
func withVerbs(cmd *cobra.Command) *cobra.Command {
	cmd.Args = cobra.ArbitraryArgs
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return unknownVerb(cmd, args[0])
		}
		return cmd.Help()
	}
	return cmd
}

func unknownVerb(cmd *cobra.Command, name string) error {
	var verbs []string
	for _, verb := range cmd.Commands() {
		verbs = append(verbs, verb.Name())
	}
	return fmt.Errorf("unknown command %q for %q%s; %s --help lists them", name, cmd.CommandPath(), didYouMean(name, verbs), cmd.CommandPath())
}

// flagError returns pflag's error about a flag, with the flag that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if args := cmd.Flags().Args(); !cmd.HasParent() && len(args) > 0 {
		return unknownVerb(cmd, args[0])
	}
	name := unknown.GetSpecifiedName()
	if short := unknown.GetSpecifiedShortnames(); short != "" { // -lr for --lr
		name, _, _ = strings.Cut(short, "=")
	}
	name = strings.ReplaceAll(name, "_", "-")
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	if meant := pipeline.Nearest(name, flags); meant != "" {
		return fmt.Errorf("%w (did you mean --%s?)", err, meant)
	}
	return err
}

func stageNames() (names []string) {
	for _, d := range pipeline.Declarations() {
		names = append(names, d.Name)
	}
	return append(names, "run")
}

func unknownShell(name string) error {
	return fmt.Errorf("completion %s: want %s%s", name, strings.Join(shells, ", "), didYouMean(name, shells))
}
