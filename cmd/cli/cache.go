package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/framecache"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

func cacheCommand(out io.Writer) *cobra.Command {
	var dir string
	cmd := withVerbs(&cobra.Command{
		GroupID: aboutFiles,
		Use:     "cache",
		Short:   "List and remove the frames that arrow_cache keeps",
	})
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "folder of the caches (arrow_cache.dir); empty: fmsr/frames in the user's cache folder")
	folder := func() (string, error) {
		if dir != "" {
			expanded, err := pipeline.ExpandPath(dir)
			if err != nil {
				return "", &pipeline.InputError{Err: fmt.Errorf("--dir %w", err)}
			}
			return expanded, nil
		}
		base, err := os.UserCacheDir()
		if err != nil {
			return "", &pipeline.InputError{Err: fmt.Errorf("cache folder: %w", err)}
		}
		return filepath.Join(base, "fmsr", "frames"), nil
	}
	cmd.AddCommand(cacheList(out, folder), cacheRemove(out, folder))
	return cmd
}

func cacheList(out io.Writer, folder func() (string, error)) *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the caches, least recently used first",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := folder()
			if err != nil {
				return err
			}
			all, err := framecache.List(dir)
			if err != nil {
				return &runFailed{error: err}
			}
			w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "key\tsize\tframes\tgrid\tchannels\tlast used\t")
			total := int64(0)
			for _, c := range all {
				total += c.Bytes
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Key, atomicfile.Size(c.Bytes), known(c.Whole, c.Frames), known(c.Whole, fmt.Sprintf("%dx%d", c.H, c.W)),
					known(c.Whole, strings.Join(c.Fields, ",")), c.Used.Format("2006-01-02 15:04"), state(c))
			}
			w.Flush()
			fmt.Fprintf(out, "%s, %s in %s\n", words.Count(len(all), "cache"), atomicfile.Size(total), dir)
			return nil
		},
	}
}

// known returns v as text, or a dash if it is not known.
func known(is bool, v any) string {
	if !is {
		return "-"
	}
	return fmt.Sprint(v)
}

// state returns what a person should know of a cache, or an empty string.
func state(c framecache.Info) string {
	switch {
	case c.Whole && c.InUse:
		return "in use"
	case c.InUse:
		return "being made"
	case !c.Whole && strings.HasPrefix(c.Key, framecache.Making):
		return "left by a run that was killed"
	case !c.Whole:
		return "damaged, or made by another version of fmsr"
	default:
		return ""
	}
}

func cacheRemove(out io.Writer, folder func() (string, error)) *cobra.Command {
	var all bool
	var older string
	cmd := &cobra.Command{
		Use:   "rm KEY... | --all | --older AGE",
		Short: "Remove caches that no run uses",
		Long: `rm removes caches by key, all caches, or the caches that were not used for some time.
It keeps a cache that a run uses. --all and --older also remove what killed runs left.`,
		Example: "  fmsr cache rm --older 30d",
	}
	cmd.Flags().BoolVar(&all, "all", false, "remove every cache")
	cmd.Flags().StringVar(&older, "older", "", "remove caches that were not used for this long: 30d, 12h")
	cmd.RunE = func(_ *cobra.Command, keys []string) error {
		if given := len(keys) > 0; given && (all || older != "") || !given && all == (older != "") {
			return &pipeline.InputError{Err: errors.New("cache rm: want keys, --all or --older AGE")}
		}
		dir, err := folder()
		if err != nil {
			return err
		}
		caches, err := framecache.List(dir)
		if err != nil {
			return &runFailed{error: err}
		}
		if len(keys) == 0 {
			since := time.Now()
			if older != "" {
				age, err := parseAge(older)
				if err != nil {
					return &pipeline.InputError{Err: err}
				}
				since = since.Add(-age)
			}
			for _, c := range caches {
				if all || c.Used.Before(since) || !c.Whole {
					keys = append(keys, c.Key)
				}
			}
		}
		return removeCaches(out, dir, keys)
	}
	return cmd
}

// removeCaches removes the caches with the given keys, and tries all of them even
// if one cannot be removed.
func removeCaches(out io.Writer, dir string, keys []string) error {
	var errs []error
	for _, key := range keys {
		switch err := framecache.Remove(dir, key); {
		case errors.Is(err, framecache.ErrInUse):
			fmt.Fprintf(out, "%s: in use, not removed\n", key)
		case errors.Is(err, fs.ErrNotExist):
			errs = append(errs, &pipeline.InputError{Err: fmt.Errorf("no cache %s in %s: fmsr cache ls shows them", key, dir)})
		case err != nil:
			errs = append(errs, &runFailed{error: err})
		default:
			fmt.Fprintf(out, "removed %s\n", key)
		}
	}
	return errors.Join(errs...)
}

// parseAge parses an age: a number of days (30d) or one of Go's durations (12h).
func parseAge(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	age, err := time.ParseDuration(text)
	if err != nil || age < 0 {
		return 0, fmt.Errorf("--older %s: want an age: 30d, 12h, 90m", text)
	}
	return age, nil
}
