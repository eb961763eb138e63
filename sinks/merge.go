package sinks

import (
	"context"
	"errors"
	"fmt"
	"io"

	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// whole is the results of all parts, of which a sink makes its summary. The last of the runs that
// share the work makes that, and so does Merge.
type whole struct {
	dir     string
	set     *parts.Set
	records []parts.Record // in the order of the parts
	out     io.Writer      // for tables
	note    func(format string, args ...any)
}

// summaries are the summaries by sink.
var summaries = map[string]func(*whole) error{
	"compare":    (*whole).compare,
	"export":     (*whole).export,
	"files_save": (*whole).files,
	"physics":    (*whole).physics,
	"spectra":    (*whole).spectra,
}

// Merge joins the results that runs which shared the work have left in a folder. It checks
// them first: its error names the parts that are missing, or that do not belong together.
// What is joined already stays as it is. Errors of a folder that has no such results are
// pipeline.InputErrors.
func Merge(ctx context.Context, dir string, out io.Writer) (err error) {
	sets, err := parts.Find(dir)
	if err == nil && len(sets) == 0 {
		err = fmt.Errorf("%s: no results of an export, of spectra or of superres that runs have shared", dir)
	}
	if err != nil {
		return &pipeline.InputError{Err: err}
	}
	folder, err := runfolder.Join(dir)
	if err != nil {
		return &pipeline.InputError{Err: err}
	}
	defer func() { err = errors.Join(err, folder.Release()) }()
	for _, set := range sets {
		if err := merge(ctx, dir, set, out); err != nil {
			return err
		}
	}
	return nil
}

func merge(ctx context.Context, dir string, set *parts.Set, out io.Writer) error {
	summarize := summaries[set.Sink]
	if summarize == nil {
		return &pipeline.InputError{Err: fmt.Errorf("%s: results of %q, which this fmsr does not know", dir, set.Sink)}
	}
	records, err := set.Check(ctx)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	if set.Summarized(ctx, records) {
		note("%-9s %s: %s, merged already", set.Sink, dir, words.Count(len(records), "part"))
		return nil
	}
	return summarize(&whole{dir: dir, set: set, records: records, out: out, note: note})
}
