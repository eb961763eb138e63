// Command fmsr is fmsr with one more stage: vorticity.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/spf13/pflag"

	"fmsr.example/fmsr/pipeline"
	_ "fmsr.example/fmsr/sinks"
	_ "fmsr.example/fmsr/stages"

	_ "example.org/vorticity/vorticity"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "fmsr:", err)
		os.Exit(1)
	}
}

// run runs a spec: fmsr SPEC [flags].
func run(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("fmsr", pflag.ContinueOnError)
	given := pipeline.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	src, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	spec, err := pipeline.Parse(flags.Arg(0), src, *given)
	if err != nil {
		return err
	}
	return pipeline.Execute(ctx, spec, pipeline.Options{Out: os.Stdout})
}
