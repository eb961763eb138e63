package cli

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/sinks"
)

func mergeCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		GroupID: aboutFiles,
		Use:     "merge DIR",
		Short:   "Join what the shards of a run left in a folder",
		Long: `merge makes what one run would have made of the whole work, of the results that the runs
with --shard I/N left in DIR:

  export     manifest.json, with the statistics of all seeds
  spectra    the tables and the picture
  superres   with --truth: the table, comparison.json, the pictures and the physics report

It checks them first: that no shard, seed or file is missing or there twice, that none is
damaged, and that the same spec, data and version of fmsr made them all. What is wrong
is named in one line. It reads DIR alone, not the input.

The last shard to end merges by itself. merge is for the job that depends on an array: its
exit status says whether everything is there. Running it again changes nothing. Shards
that wrote to folders of their own are merged once the folders are copied into one (cp -a
or rsync -a), .parts and all.

Exit status: 0 merged, 1 something is missing, damaged or does not belong there, 2 DIR
holds no results of shards.`,
		Example: `  fmsr run specs/export.yaml --data-root DATA --out set --shard 1/2
  fmsr run specs/export.yaml --data-root DATA --out set --shard 2/2
  fmsr merge set`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := sinks.Merge(cmd.Context(), args[0], out)
			if err == nil || errors.As(err, new(*pipeline.InputError)) {
				return err
			}
			return &runFailed{error: err}
		},
	}
}
