package cli

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/terminal"
)

// TestHelpFits: no line of any help is wider than a terminal of 80 columns, nor of a stage's
// description but for pictures.
func TestHelpFits(t *testing.T) {
	helpOf := func(args ...string) {
		t.Helper()
		var out bytes.Buffer
		var unhelped error
		root := newRoot(&out, &signals{}, &unhelped)
		root.SetOut(&out)
		root.SetArgs(append(args, "--help"))
		if err := root.Execute(); err != nil || unhelped != nil {
			t.Fatalf("%v: %v, %v", args, err, unhelped)
		}
		if out.Len() == 0 {
			t.Errorf("%v has no help", args)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > terminal.Width {
				t.Errorf("help of %v: a line of %d columns: %s", args, n, line)
			}
		}
	}
	var each func(cmd *cobra.Command, path []string)
	each = func(cmd *cobra.Command, path []string) {
		helpOf(path...)
		for _, sub := range cmd.Commands() {
			each(sub, append(path[:len(path):len(path)], sub.Name()))
		}
	}
	each(newRoot(&bytes.Buffer{}, &signals{}, new(error)), nil)
	for _, name := range shippedNames() {
		helpOf("run", name)
	}
	for _, name := range stageNames() {
		var out bytes.Buffer
		root := newRoot(&out, &signals{}, new(error))
		root.SetArgs([]string{"describe", name})
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > terminal.Width && line[0] != '\t' {
				t.Errorf("describe %s: a line of %d columns: %s", name, n, line)
			}
		}
	}
}
