package pipeline

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

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
	fmt.Fprintf(w, "%s\n\n%s\n\n", d.Name, d.Doc)
	describeLink(w, d)
	config := d.Config()
	if reflect.TypeOf(config).Elem().NumField() == 0 {
		return
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "key\ttype\tdefault\tflag\t")
	spec.EachKey(config, func(key string, f spec.Field, x reflect.Value) {
		flag := ""
		if f.Flag != "" {
			flag = "--" + f.Flag
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", key, spec.KindName(x.Type()), spec.Text(x), flag, f.Doc())
	})
	tw.Flush()
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
