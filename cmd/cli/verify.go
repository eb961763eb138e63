package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

func verifyCommand(out io.Writer) *cobra.Command {
	return &cobra.Command{
		GroupID: aboutFiles,
		Use:     "verify PATH...",
		Short:   "Check that checkpoints, caches, exports and reports are whole",
		Long: `verify reads everything in a path and checks it against its checksums. It prints a line
for each path: what it is and that it is whole, or, on stderr, which file is damaged and
how. PATH is one of

  checkpoint.pt      checks its records, the network's tensors, that all values are finite
  training folder    checks its checkpoints, and that each line of metrics.jsonl is JSON
  cache folder       or the folder of all caches (fmsr cache ls names it)
  export folder      or its manifest.json: checks the manifest and the files that it lists
  spectra folder     checks the tables, the picture and the results that they are made from
  superres folder    checks the output files, comparison.json and the pictures

Exit status: 0 everything is whole, 1 something is damaged or has weights that are not
finite, 2 a path is missing or is none of these.`,
		Example: "  fmsr verify runs/first set",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, paths []string) error {
			var errs []error
			for _, path := range paths {
				is, err := verify(cmd.Context(), path)
				if err != nil {
					fmt.Fprintln(cmd.ErrOrStderr(), err)
					errs = append(errs, quiet{err})
					continue
				}
				fmt.Fprintf(out, "%s: %s: whole\n", path, is)
			}
			return errors.Join(errs...)
		},
	}
}

// verify returns what a path is, or an error if it is damaged.
func verify(ctx context.Context, path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", &pipeline.InputError{Err: err}
	}
	var found []string
	if info.IsDir() {
		found, err = verifyFolder(ctx, path)
	} else {
		found, err = verifyFile(ctx, path)
	}
	switch {
	case err != nil:
		return "", &runFailed{error: err}
	case len(found) == 0:
		return "", &pipeline.InputError{Err: fmt.Errorf("%s: no checkpoint, training, cache, export or report of fmsr's%s", path, holding(path))}
	}
	return strings.Join(found, "; "), nil
}

// holding returns what to verify of a folder that only holds runs, or nothing.
func holding(path string) string {
	root, err := os.OpenRoot(path)
	if err != nil {
		return ""
	}
	defer root.Close()
	if runs := runview.Find(root); len(runs) > 0 {
		return fmt.Sprintf(", but %s below it: name them, as %s", words.Count(len(runs), "run"), filepath.Join(path, runs[0]))
	}
	return ""
}

func verifyFile(ctx context.Context, path string) ([]string, error) {
	name := filepath.Base(path)
	if manifest, _ := filepath.Match(manifests, name); manifest {
		is, err := verifyExport(ctx, path, map[parts.File]bool{})
		return []string{is}, err
	}
	start := make([]byte, 4)
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	n, _ := io.ReadFull(f, start) // a file may be shorter
	f.Close()
	if string(start[:n]) != "PK\x03\x04" && filepath.Ext(name) != ".pt" {
		return nil, nil
	}
	is, err := model.Verify(ctx, path)
	return []string{is}, err
}

// Names of a folder's files.
const (
	manifests   = "manifest*.json"
	metricsName = "metrics.jsonl"
)

// verifyFolder verifies everything in a folder that can be verified, and returns
// what it is.
func verifyFolder(ctx context.Context, dir string) (found []string, err error) {
	if there(dir, framecache.Index) || there(dir, framecache.Frames) {
		c, err := framecache.Verify(ctx, dir)
		return []string{fmt.Sprintf("cache of %s, %d x %d, %s", words.Count(len(c.Frames), "frame"), c.H, c.W, strings.Join(c.Channels, ","))}, err
	}
	caches, err := framecache.VerifyAll(ctx, dir)
	if err != nil {
		return nil, err
	}
	if len(caches) > 0 {
		n := 0
		for _, c := range caches {
			n += len(c.Frames)
		}
		found = append(found, fmt.Sprintf("%s, %s", words.Count(len(caches), "cache"), words.Count(n, "frame")))
	}
	paths, err := glob.In(dir, model.CheckpointFiles)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		is, err := model.Verify(ctx, path)
		if err != nil {
			return nil, err
		}
		found = append(found, is)
	}
	if there(dir, metricsName) {
		n, err := verifyMetrics(filepath.Join(dir, metricsName))
		if err != nil {
			return nil, err
		}
		found = append(found, fmt.Sprintf("%s of %d lines", metricsName, n))
	}
	return verifyResults(ctx, dir, found)
}

// verifyResults verifies an export's manifests and the records of finished seeds,
// and appends to found what they are.
func verifyResults(ctx context.Context, dir string, found []string) ([]string, error) {
	verified := map[parts.File]bool{} // records and manifests name the same files
	paths, err := glob.In(dir, manifests)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		is, err := verifyExport(ctx, path, verified)
		if err != nil {
			return nil, err
		}
		found = append(found, is)
	}
	if !there(dir, parts.Folder) {
		return found, nil
	}
	results, err := parts.Verify(ctx, dir, verified)
	if err != nil {
		return nil, err
	}
	is := "results of " + words.Count(results.Parts, "simulation")
	if results.OfFiles {
		is = "results of " + words.Count(results.Parts, "file")
	}
	if len(paths) == 0 && !results.Summarized {
		is += ", unfinished"
	}
	return append(found, is), nil
}

func verifyExport(ctx context.Context, path string, verified map[parts.File]bool) (string, error) {
	m, err := exportset.Verify(ctx, path, verified)
	if err != nil {
		return "", err
	}
	rows := 0
	for _, f := range m.Files {
		rows += f.Rows
	}
	return fmt.Sprintf("export, %s: %s of %s, %d x %d, %s", filepath.Base(path), words.Count(len(m.Files), m.Format+" file"), words.Count(rows, "row"), m.H, m.W, strings.Join(m.ChannelNames, ",")), nil
}

// verifyMetrics returns how many lines metrics.jsonl has, or an error if a line is
// not an object with a step.
func verifyMetrics(path string) (int, error) {
	data, err := infile.ReadAll(path, 1<<30)
	if err != nil {
		return 0, err
	}
	n := 0
	for len(data) > 0 {
		n++
		line, rest, ended := bytes.Cut(data, []byte("\n"))
		var v struct{ Step *int }
		err := json.Unmarshal(line, &v)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s:%d:1: %w", path, n, err)
		case v.Step == nil || !ended:
			return 0, fmt.Errorf("%s:%d:1: it has no step, or no end", path, n)
		}
		data = rest
	}
	return n, nil
}

func there(dir, name string) bool {
	_, err := os.Lstat(filepath.Join(dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}
