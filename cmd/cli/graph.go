package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/pipeline"
)

func graphCommand(out io.Writer) *cobra.Command {
	var sets []string
	var svg string
	cmd := &cobra.Command{
		Use:     "graph SPEC",
		GroupID: aboutSpecs,
		Short:   "Draw a spec's flow: stages, changed keys, what flows",
		Long: `graph draws the flow of a spec as text, or as an SVG file: each stage with the keys that
are not its defaults, and between two stages what flows there. Flags set keys, as in run.`,
		Example: "  fmsr graph specs/full.yaml\n  fmsr graph my.yaml --svg flow.svg",
		Args:    usage(cobra.ExactArgs(1)),
	}
	cmd.Flags().StringArrayVar(&sets, "set", nil, setUsage)
	cmd.Flags().StringVar(&svg, "svg", "", "write this SVG file instead of text")
	given := pipeline.AddFlags(cmd.Flags())
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		spec, err := givenSpec(args[0], *given, sets)
		if err != nil {
			return err
		}
		if svg == "" {
			spec.WriteGraph(out)
			return nil
		}
		if err := replaceable(svg); err != nil {
			return &pipeline.InputError{Err: err}
		}
		if err := atomicfile.WriteFile(svg, spec.GraphSVG()); err != nil {
			return &runFailed{error: err}
		}
		fmt.Fprintf(out, "graph     %s\n", svg)
		return nil
	}
	return cmd
}

// replaceable returns an error if there is a file at path that is no SVG.
func replaceable(path string) error {
	data, err := infile.ReadAll(path, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !bytes.HasPrefix(data, []byte("<svg")) {
		err = fmt.Errorf("%s is there, and is no SVG file: give another by --svg", path)
	}
	return err
}
