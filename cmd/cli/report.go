package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/page"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
)

func reportCommand(out io.Writer) *cobra.Command {
	path := "report.html"
	cmd := &cobra.Command{
		GroupID: aboutRuns,
		Use:     "report RUN...",
		Short:   "Write one HTML file about runs, to be sent or kept",
		Long: `report reads the folders of runs and writes one file of HTML that needs no other file and
no network: what the last evaluation found, in a sentence; spectra, fields, curves, tables
with the meaning of each metric, the spec, the data, the machine, time and cost. Several
runs are laid over each other, and the keys that differ are named.

RUN is the folder of a training run, or of superres's or spectra's results. Training itself
writes RUN/report.html as it ends.`,
		Example: "  fmsr report runs/first runs/second --to compared.html",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, dirs []string) error {
			var html []byte
			err := withRuns(dirs, func(runs []*runview.Run) (err error) {
				if html, err = page.Report(runs...); err == nil {
					err = ours(path)
				}
				return err
			})
			if err != nil {
				return err
			}
			if err := atomicfile.WriteFile(path, html); err != nil {
				return &runFailed{error: err}
			}
			fmt.Fprintf(out, "report    %s, %s\n", path, atomicfile.Size(int64(len(html))))
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "to", path, "the file to write")
	return cmd
}

// ours returns an error if there is a file at path that is no report of fmsr's.
func ours(path string) error {
	data, err := infile.ReadAll(path, 1<<30)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !bytes.Contains(data[:min(len(data), 1000)], []byte(`<meta name="generator" content="fmsr">`)) {
		err = fmt.Errorf("%s is there, and is no report of fmsr's: give another file by --to", path)
	}
	return err
}
