package cli

import (
	"embed"
	"io"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmsr.example/fmsr/pipeline"
)

// completionScripts are the scripts by shell. All names are put into them here: a TAB that ran
// fmsr would wait for libtorch to be loaded.
//
//go:embed completion/*.tmpl
var completionScripts embed.FS

var shells = []string{"bash", "zsh", "fish"}

func completionCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "Print the completion script of a shell",
		Long: `completion prints a script with which a shell completes verbs, flags, stages, keys and their
values (--set STAGE.KEY=), specs and checkpoints. The script does not run fmsr. Print it
again after an update.`,
		Example: `  source <(fmsr completion bash)     # in ~/.bashrc
  source <(fmsr completion zsh)      # in ~/.zshrc, after compinit
  fmsr completion fish >~/.config/fish/completions/fmsr.fish`,
		Args: cobra.MatchAll(usage(cobra.ExactArgs(1)), func(_ *cobra.Command, args []string) error {
			if !slices.Contains(shells, args[0]) {
				return unknownShell(args[0])
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return writeCompletion(out, cmd.Root(), args[0]) },
	}
}

// Words of a completion that stand for something that the shell looks up.
const (
	anyText         = "@any"
	anyFile         = "@file"
	anyFolder       = "@dir"
	anyCheckpoint   = "@checkpoint"
	anySpec         = "@spec"
	anySetting      = "@set"
	settingFlagName = "set"
)

// completion is what a script is made of.
type completion struct {
	Verbs  []completedVerb
	Values []completedValues
	Specs  string // words
	Keys   string // words, "train.lr="
}

type completedVerb struct {
	Name, Doc string // no Doc: the program itself
	Words     string // of its arguments
	Flags     []completedFlag
}

// FlagWords returns the verb's flags, as they are written.
func (v completedVerb) FlagWords() string {
	var names []string
	for _, f := range v.Flags {
		names = append(names, "--"+f.Name)
	}
	return strings.Join(names, " ")
}

type completedFlag struct{ Name, Doc, Words string } // no Words: it takes no value

// completedValues are the words after any of several flags, keys or verbs: "--padding",
// "train.padding", "arg:run".
type completedValues struct{ Names, Words string }

// arguments are the words of verbs' arguments.
var arguments = map[string]string{
	"run": anySpec, "lint": anySpec, "graph": anySpec, "watch": anyFolder, "ls": anyFolder, "compare": anyFolder, "report": anyFolder, "ui": anyFolder,
	"merge": anyFolder, "weights": anyCheckpoint, "verify": anyFile, "completion": strings.Join(shells, " "), "list": anyText, "schema": anyText, "version": anyText,
}

// checkpoints are the flags whose value is a checkpoint, or a run's folder.
var checkpoints = []string{"checkpoint", "init-from", "resume"}

func writeCompletion(out io.Writer, root *cobra.Command, shell string) error {
	keys := pipeline.Keys()
	c := completion{Specs: strings.Join(shippedNames(), " ")}
	var paths, settings []string
	for _, k := range keys {
		paths = append(paths, k.Path+"=")
		settings = append(settings, k.Path+"=")
		for _, v := range k.Values {
			settings = append(settings, k.Path+"="+v)
		}
	}
	c.Keys = strings.Join(paths, " ")
	verbs := root.Commands()
	for _, verb := range append([]*cobra.Command{root}, verbs...) {
		c.Verbs = append(c.Verbs, completeVerb(verb, keys))
	}
	c.Values = completeValues(c.Verbs, keys)
	script, err := template.New(shell+".tmpl").Funcs(template.FuncMap{
		"specs": func() string { return c.Specs }, "settings": func() string { return strings.Join(settings, " ") },
	}).ParseFS(completionScripts, "completion/"+shell+".tmpl")
	if err != nil {
		return err
	}
	return script.Execute(out, c)
}

// completeVerb returns a verb's flags, and what its arguments can be.
func completeVerb(verb *cobra.Command, keys []pipeline.Key) completedVerb {
	v := completedVerb{Name: verb.Name(), Doc: plain(verb.Short), Words: arguments[verb.Name()]}
	var inside []string
	for _, sub := range verb.Commands() {
		inside = append(inside, sub.Name())
	}
	switch {
	case !verb.HasParent():
		v.Doc = ""
		v.Words = strings.Join(inside, " ")
	case len(inside) > 0:
		v.Words = strings.Join(inside, " ")
	case verb.Name() == "describe":
		v.Words = strings.Join(stageNames(), " ")
	}
	verb.InitDefaultHelpFlag()
	verb.Flags().VisitAll(func(f *pflag.Flag) {
		flag := completedFlag{Name: f.Name, Doc: plain(f.Usage), Words: flagWords(f, keys)}
		for _, k := range keys {
			if k.Flag == f.Name {
				flag.Doc = plain(k.Doc)
				break
			}
		}
		v.Flags = append(v.Flags, flag)
	})
	return v
}

// flagWords returns the words of a flag's value; empty: it takes none.
func flagWords(f *pflag.Flag, keys []pipeline.Key) string {
	switch {
	case f.Value.Type() == "bool":
		return ""
	case f.Name == settingFlagName:
		return anySetting
	case slices.Contains(checkpoints, f.Name):
		return anyCheckpoint
	case f.Name == "to" || f.Name == "svg" || f.Name == "dir":
		return anyFile
	}
	var values []string // of all the keys that it sets
	for _, k := range keys {
		switch {
		case k.Flag != f.Name:
		case k.IsPath:
			return anyFile
		default:
			values = append(values, k.Values...)
		}
	}
	if len(values) == 0 {
		return anyText
	}
	slices.Sort(values)
	return strings.Join(slices.Compact(values), " ")
}

// completeValues gathers the names that the same words can follow.
func completeValues(verbs []completedVerb, keys []pipeline.Key) (all []completedValues) {
	at := map[string]int{}
	seen := map[string]bool{}
	add := func(name, words string) {
		if words == "" || seen[name] {
			return
		}
		seen[name] = true
		i, ok := at[words]
		if !ok {
			i = len(all)
			at[words] = i
			all = append(all, completedValues{Words: words})
		} else {
			all[i].Names += "|"
		}
		all[i].Names += name
	}
	for _, v := range verbs {
		add("arg:"+v.Name, v.Words)
		for _, f := range v.Flags {
			add("--"+f.Name, f.Words)
		}
	}
	for _, k := range keys {
		words := anyText
		switch {
		case k.IsPath:
			words = anyFile
		case k.Values != nil:
			words = strings.Join(k.Values, " ")
		}
		add(k.Path, words)
	}
	return all
}

// plain returns a text without what scripts quote with, up to its first clause.
func plain(text string) string {
	text, _, _ = strings.Cut(text, ";")
	return strings.NewReplacer("'", "", `\`, "", ":", " -", "`", "").Replace(text)
}
