package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/specs"
)

// Groups of verbs in the help.
const (
	aboutRuns  = "runs"
	aboutSpecs = "specs"
	aboutFiles = "files"
)

// dress gives the program's help its form: verbs in groups, lines of 80 columns, and no flag
// --help in each list of flags.
func dress(root *cobra.Command) {
	root.AddGroup(
		&cobra.Group{ID: aboutRuns, Title: "Runs:"},
		&cobra.Group{ID: aboutSpecs, Title: "Specs and stages:"},
		&cobra.Group{ID: aboutFiles, Title: "Files:"},
	)
	root.SetUsageTemplate(strings.NewReplacer(
		".FlagUsages |", fmt.Sprintf(".FlagUsagesWrapped %d | switches |", terminal.Width),
		"[command]", "VERB",
		"{{if .Runnable}}", "{{if and .Runnable (not .HasAvailableSubCommands)}}",
		"Additional Commands:", "Other:",
		"for more information about a command", "for more about a verb",
	).Replace(root.UsageTemplate()))
	cobra.AddTemplateFunc("fill", terminal.Fill)
	cobra.AddTemplateFunc("switches", switches)
	root.SetHelpTemplate(strings.Replace(root.HelpTemplate(), "trimTrailingWhitespaces", "fill", 1))
	root.PersistentFlags().BoolP("help", "h", false, "show help")
	_ = root.PersistentFlags().MarkHidden("help") // it is there
	root.SetHelpCommand(helpCommand())
}

// switches leaves out what pflag says behind each switch, [=true|false].
func switches(usages string) string {
	const values = "[=true|false]"
	return strings.ReplaceAll(usages, values, strings.Repeat(" ", len(values)))
}

func helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [VERB [SPEC]]",
		Short: "Show what a verb does, or the flags of a spec",
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			about, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if about == root && len(rest) > 0 {
				return unknownVerb(root, rest[0])
			}
			if err := about.ParseFlags(rest); err != nil { // for the help of run, which is about a spec
				return err
			}
			return about.Help()
		},
	}
}

// runHelp writes the help of fmsr run. With a spec it shows the spec's flags, stage by stage,
// and otherwise the shipped specs.
func runHelp(out io.Writer, cmd *cobra.Command, usual func(*cobra.Command, []string)) error {
	path := cmd.Flags().Arg(0)
	if path == "" {
		usual(cmd, nil)
		fmt.Fprintf(out, "\nShipped specs, in the program itself:\n")
		terminal.Entries(out, shippedSpecs())
		fmt.Fprintf(out, "\n%s run SPEC --help shows the flags of that spec's stages.\n", cmd.Root().Name())
		return nil
	}
	spec, err := loadSpec(path, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Usage:\n  fmsr run %s [flags]\n\nFlags, by the stage that they reach, and [what the spec gives]:\n", path)
	pipeline.DescribeFlags(out, spec)
	fmt.Fprintf(out, "\nfmsr itself:\n%s", switches(cmd.LocalNonPersistentFlags().FlagUsagesWrapped(terminal.Width)))
	return nil
}

// shippedSpecs returns the shipped specs, each with what it does.
func shippedSpecs() (all []terminal.Entry) {
	for _, name := range shippedNames() {
		text, err := specs.FS.ReadFile(strings.TrimPrefix(name, "specs/"))
		if err == nil {
			all = append(all, terminal.Entry{Name: name, Text: summary(string(text))})
		}
	}
	return all
}

// summary returns the first sentence, up to a colon or a full stop, of the comment at the top
// of a spec.
func summary(text string) string {
	comment := ""
	for line := range strings.Lines(text) {
		words, ok := strings.CutPrefix(line, "# ")
		if !ok {
			break
		}
		if !strings.HasPrefix(words, "yaml-language-server:") {
			comment += strings.TrimSpace(words) + " "
		}
	}
	for _, end := range []string{": ", ". "} {
		comment, _, _ = strings.Cut(comment, end)
	}
	return comment
}
