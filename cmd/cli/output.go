package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/pipeline"
)

// output is how a run shows what it does, by its flags.
type output struct {
	quiet, verbose bool
	format         string
}

func (o *output) addFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&o.quiet, "quiet", "q", false, "print warnings and errors alone")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "print plain lines, and where the time of each stage went")
	cmd.Flags().StringVar(&o.format, "log-format", "text", "text, or json: an object a line, for programs")
	cmd.MarkFlagsMutuallyExclusive("quiet", "verbose")
}

// on returns what the run writes to: out itself, where the terminal may show the run live, or
// a display.Display.
func (o *output) on(out io.Writer) (io.Writer, error) {
	if formats := []string{"text", "json"}; o.format != formats[0] && o.format != formats[1] {
		return nil, &pipeline.InputError{Err: fmt.Errorf("--log-format %s: want text or json%s", o.format, didYouMean(o.format, formats))}
	}
	switch {
	case o.format == "json" && o.quiet:
		return display.Quiet{To: display.NewJSON(out, false)}, nil
	case o.format == "json":
		return display.NewJSON(out, o.verbose), nil
	case o.quiet:
		return display.Quiet{To: out}, nil
	case o.verbose:
		return display.Lines{Writer: out, Verbose: true}, nil
	}
	return out, nil
}
