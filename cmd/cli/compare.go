package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/runview"
)

func compareCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		Use:     "compare RUN RUN...",
		GroupID: aboutRuns,
		Short:   "Show what differs between runs: keys of their specs, figures",
		Long: `compare shows a table of the stages and keys that differ between the specs of runs, and of the
figures of their last evaluations: those of the model's samples, as means over the
fields. fmsr report and fmsr ui show the same runs with curves and fields.`,
		Example: "  fmsr compare runs/first runs/second",
		Args:    usage(cobra.MinimumNArgs(2)),
		RunE: func(_ *cobra.Command, dirs []string) error {
			return withRuns(dirs, func(runs []*runview.Run) error { return compareRuns(out, runs) })
		},
	}
}

// compareRuns writes the table.
func compareRuns(out io.Writer, runs []*runview.Run) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name string, cell func(i int) string) {
		fmt.Fprint(tw, name)
		for i := range runs {
			fmt.Fprintf(tw, "\t%s", shortened(cell(i)))
		}
		fmt.Fprintln(tw)
	}
	line("", func(i int) string { return runs[i].Dir })
	line("state", func(i int) string { return runs[i].State.String() })
	differences := runview.DifferencesOf(runs)
	lacking := stagesOfSome(runs)
	for _, stage := range lacking {
		line(stage, func(i int) string {
			if slices.Contains(runs[i].Spec.Flow, stage) {
				return "in the flow"
			}
			return "-"
		})
	}
	for _, d := range differences {
		if stage, _, _ := strings.Cut(d.Path, "."); slices.Contains(lacking, stage) && sameAmong(runs, stage, d) {
			continue // the stage's line says it
		}
		line(d.Path, func(i int) string {
			if d.Values[i] == "" {
				return "-"
			}
			return d.Values[i]
		})
	}
	if len(differences)+len(lacking) == 0 {
		fmt.Fprintln(tw, "the specs are the same")
	}
	if err := figureLines(runs, line); err != nil {
		return err
	}
	return tw.Flush()
}

// stagesOfSome returns the stages that some of the runs have, and others do not.
func stagesOfSome(runs []*runview.Run) (stages []string) {
	for _, r := range runs {
		for _, stage := range r.Spec.Flow {
			lacks := func(other *runview.Run) bool { return !slices.Contains(other.Spec.Flow, stage) }
			if !slices.Contains(stages, stage) && slices.ContainsFunc(runs, lacks) {
				stages = append(stages, stage)
			}
		}
	}
	return stages
}

// sameAmong reports whether the runs that have the stage agree on the key.
func sameAmong(runs []*runview.Run, stage string, d runview.Difference) bool {
	var values []string
	for i, r := range runs {
		if slices.Contains(r.Spec.Flow, stage) {
			values = append(values, d.Values[i])
		}
	}
	return len(slices.Compact(values)) < 2
}

// figureLines writes a line for each metric of the runs' last evaluations.
func figureLines(runs []*runview.Run, line func(name string, cell func(i int) string)) error {
	latest := make([]*evaluate.Record, len(runs))
	var metrics []evaluate.RecordMetric
	for i, r := range runs {
		e, err := r.Latest()
		if err != nil {
			return err
		}
		if latest[i] = e; e == nil {
			continue
		}
		for _, m := range e.Metrics {
			if m.InTables && m.Averages && !slices.ContainsFunc(metrics, func(o evaluate.RecordMetric) bool { return o.Name == m.Name }) {
				metrics = append(metrics, m)
			}
		}
	}
	if len(metrics) == 0 {
		return nil
	}
	of := func(i int, value func(e *evaluate.Record) string) string {
		if latest[i] == nil {
			return "-"
		}
		return value(latest[i])
	}
	line("evaluated at step", func(i int) string { return of(i, func(e *evaluate.Record) string { return fmt.Sprint(e.Step) }) })
	for _, m := range metrics {
		line(m.Head, func(i int) string {
			return of(i, func(e *evaluate.Record) string {
				if model, _ := e.Best(); model != nil {
					if v, ok := e.Value(model, m.Name); ok {
						return fmt.Sprintf(m.Cell, v)
					}
				}
				return "-"
			})
		})
	}
	return nil
}

// shortened returns a value that fits a table.
func shortened(value string) string {
	const most = 36
	if utf8.RuneCountInString(value) <= most {
		return value
	}
	return string([]rune(value)[:most-1]) + "…"
}
