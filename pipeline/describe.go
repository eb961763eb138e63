package pipeline

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/pipeline/spec"
)

// List writes one line a stage.
func List(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, d := range Declarations() {
		fmt.Fprintf(tw, "%s\t%s\n", d.Name, d.title())
	}
	tw.Flush()
}

// title returns the first line of a stage's doc.
func (d Declared) title() string {
	first, _, _ := strings.Cut(d.Doc, "\n")
	return first
}

// Describe writes what a stage does, how it connects, and its keys.
func Describe(w io.Writer, d Declared) {
	fmt.Fprintf(w, "%s\n\n%s\n\n", d.Name, terminal.Fill(d.Doc))
	describeLink(w, d)
	if keys := spec.KeyEntries(d.Config()); len(keys) > 0 {
		fmt.Fprintln(w)
		terminal.Entries(w, keys)
	}
}

// DescribeRun writes the keys of the run section.
func DescribeRun(w io.Writer) {
	run := defaultRun()
	fmt.Fprintf(w, "run\n\n%s\n\n", runDoc)
	terminal.Entries(w, spec.KeyEntries(&run))
}

const runDoc = `The keys of a spec's run section, which concern the run and no single stage.
--set run.KEY=VALUE sets one.

	version: 1
	run:
	  name: first
	  units: [code units, Bx=mT, By=mT]
	  grid: {box: [1, 2], boundary: [periodic, open]}
	flow: [...]`

// DescribeFlags writes the flags of a spec's stages, stage by stage, and then those of its run
// section, with the values that the spec gives them. A flag that means the same for several
// stages is shown once.
func DescribeFlags(w io.Writer, s *Spec) {
	also := map[terminal.Entry][]string{} // stages, the first one first
	for _, n := range s.Flow {
		for _, flag := range spec.FlagEntries(n.Config) {
			if !slices.Contains(also[flag], n.Name) {
				also[flag] = append(also[flag], n.Name)
			}
		}
	}
	for _, n := range s.Flow {
		var flags []terminal.Entry
		for _, flag := range spec.FlagEntries(n.Config) {
			stages := also[flag]
			if len(stages) == 0 || stages[0] != n.Name {
				continue
			}
			delete(also, flag)
			if len(stages) > 1 {
				flag.Text += " (also for " + strings.Join(stages[1:], ", ") + ")"
			}
			flags = append(flags, flag)
		}
		if len(flags) > 0 {
			describeGroup(w, n.Name+": "+n.Decl.title(), flags)
		}
	}
	describeGroup(w, "run: the run as a whole", spec.FlagEntries(&s.Run))
}

func describeGroup(w io.Writer, title string, entries []terminal.Entry) {
	fmt.Fprintln(w)
	for _, line := range terminal.Wrap(title, terminal.Width) {
		fmt.Fprintln(w, line)
	}
	terminal.Entries(w, entries)
}

func describeLink(w io.Writer, d Declared) {
	for _, line := range []struct {
		is   bool
		text string
	}{
		{d.Source, "starts a flow"},
		{d.Store, "keeps the frames that reach it, and is then the flow's source"},
		{d.Link.End, "ends a flow"},
	} {
		if line.is {
			fmt.Fprintln(w, line.text)
		}
	}
	for _, line := range []struct {
		word string
		Traits
	}{{"needs", d.Link.Needs}, {"wants", d.Link.Wants}, {"refuses", d.Link.Refuses}, {"gives", d.Link.Adds}, {"drops", d.Link.Drops}} {
		if line.Traits != 0 {
			fmt.Fprintf(w, "%s  %s\n", line.word, line.Traits)
		}
	}
}

// AddFlags adds a flag for every key of the run section and of the stages that declares
// a flag. It returns a list, to which each flag that the user gives adds an override.
func AddFlags(fs *pflag.FlagSet) *[]Override {
	run := defaultRun()
	return spec.AddFlags(fs, append([]spec.Item{{Name: "run", Config: &run}}, stageItems()...))
}

// Schema returns the JSON Schema of specs, for editors.
func Schema() []byte {
	run := defaultRun()
	var docs []string
	for _, d := range Declarations() {
		docs = append(docs, d.title())
	}
	return spec.Schema(&run, stageItems(), docs)
}

// stageItems returns every stage with its defaults.
func stageItems() []spec.Item {
	var items []spec.Item
	for _, d := range Declarations() {
		items = append(items, spec.Item{Name: d.Name, Config: d.Config()})
	}
	return items
}
