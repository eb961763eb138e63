package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fmsr.example/fmsr/pipeline"
)

// dryRun prints what a run of the spec would do, need and take. Form says how much of the spec
// is printed: short, what is not the default; or whole.
func dryRun(ctx context.Context, out io.Writer, spec *pipeline.Spec, form string, opt pipeline.Options) error {
	if form != "short" && form != "whole" {
		return &pipeline.InputError{Err: fmt.Errorf("--dry-run=%s: want --dry-run, or --dry-run=whole for every key of the spec", form)}
	}
	printWarnings(out, spec)
	if form == "whole" {
		fmt.Fprintf(out, "%s\n", spec.YAML())
	} else {
		fmt.Fprintf(out, "%s: keys that are not the defaults (--dry-run=whole shows all)\n", spec.File)
		printFacts(out, spec.Changed())
	}
	facts, err := pipeline.DryRun(ctx, spec, opt)
	fmt.Fprintln(out, "the run, of which nothing is written:")
	printFacts(out, facts)
	return err
}

// printFacts prints facts below each other.
func printFacts(out io.Writer, facts []pipeline.Fact) {
	width := 0
	for _, f := range facts {
		width = max(width, len(f.Name))
	}
	for _, f := range facts {
		fmt.Fprintln(out, strings.TrimRight(fmt.Sprintf("  %-*s  %s", width, f.Name, f.Text), " "))
	}
}
