package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/pipeline"
)

// notRun are the commands of the documents that TestDocuments does not run, by their first
// words, and why. A command that no document has any more is an error.
var notRun = map[string]string{
	"make demo":          "minutes of training; .ci/run and every contributor run it",
	"make test":          "it runs this test",
	"make lint":          "a part of .ci/run",
	"make race":          "a part of .ci/run",
	"make interop":       "needs PyTorch, pyarrow and other programs",
	"make chaos":         "an hour",
	"make soak":          "half an hour",
	"make bench":         "an hour",
	"make help":          "needs the whole repository",
	"make folds":         "hours of training",
	"make slurm-test":    "installs Slurm, as root",
	"make torchrun-test": "needs PyTorch",
	"sbatch":             "needs Slurm: make slurm-test runs these scripts",
	"TASKS=16":           "needs Slurm: make slurm-test runs this script",
	"bin/fmsr ui":        "serves until it is stopped: internal/ui tests the page",

	"bin/fmsr run mri.yaml --data-root":                                     "needs AthenaK's files: the tests of athena_load make some",
	"bin/fmsr run to_npy.yaml":                                              "needs AthenaK's files",
	"bin/fmsr run specs/superres.yaml --checkpoint runs/mri --input COARSE": "needs AthenaK's files",
}

// document is a page: its path below the repository's root, and its lines.
type document struct {
	path  string
	lines []string
}

// repository is the root of the repository, from this package's folder.
const repository = "../.."

// readPages returns README.md and the documents in docs.
func readPages(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	var pages []document
	for _, path := range append([]string{filepath.Join(repository, "README.md")}, paths...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel(repository, path)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, document{name, strings.Split(string(text), "\n")})
	}
	return pages
}

// block is a fenced block of a page: its language, the number of its first line, its lines.
type block struct {
	language string
	at       int
	lines    []string
}

// blocks returns a page's fenced blocks, and its other lines with their numbers as a block
// without a language for each run of indented lines.
func (p document) blocks() (fenced, indented []block) {
	inside := false
	for i, line := range p.lines {
		switch fence, language := strings.HasPrefix(line, "```"), strings.TrimPrefix(line, "```"); {
		case fence && !inside:
			fenced, inside = append(fenced, block{language: language, at: i + 2}), true
		case fence:
			inside = false
		case inside:
			last := &fenced[len(fenced)-1]
			last.lines = append(last.lines, line)
		case strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t"):
			indented = append(indented, block{at: i + 1, lines: []string{strings.TrimSpace(line)}})
		}
	}
	return fenced, indented
}

// isCommand recognizes a line that a reader would type.
var isCommand = regexp.MustCompile(`^(\w+=\S+ )*(bin/fmsr|fmsr (run|lint|init)|make|srun|sbatch|torchrun|python3|pip) `)

// TestDocumentsAreWhole checks what a page can say wrong without any run: flags that no
// command has, links to files that are not there, commands outside of sh blocks, which
// TestDocuments would not run, and code that is too wide for GitHub.
func TestDocumentsAreWhole(t *testing.T) {
	known := knownFlags()
	flag := regexp.MustCompile("--[a-z][a-z0-9-]+")
	link := regexp.MustCompile(`\]\(([^)#: ]+)(#[^) ]*)?\)`)
	for _, p := range readPages(t) {
		fenced, indented := p.blocks()
		for _, b := range indented {
			if isCommand.MatchString(b.lines[0]) {
				t.Errorf("%s:%d: a command outside of a ```sh block: %s", p.path, b.at, b.lines[0])
			}
		}
		for _, b := range append(fenced, indented...) {
			for i, line := range b.lines {
				if n := len([]rune(line)); n > 100 && p.path != stagesPage {
					t.Errorf("%s:%d: a line of code of %d columns: want at most 100", p.path, b.at+i, n)
				}
			}
		}
		for i, line := range p.lines {
			for _, name := range flag.FindAllString(line, -1) {
				if !known[name] && !strings.HasPrefix(line, "|---") {
					t.Errorf("%s:%d: no command has the flag %s", p.path, i+1, name)
				}
			}
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if _, err := os.Stat(filepath.Join(repository, filepath.Dir(p.path), m[1])); err != nil {
					t.Errorf("%s:%d: link to nothing: %s", p.path, i+1, m[1])
				}
			}
		}
	}
}

// knownFlags returns the flags of all verbs of fmsr, and those of other programs that the
// documents name.
func knownFlags() map[string]bool {
	known := map[string]bool{}
	for _, other := range strings.Fields(`--nodes --ntasks --ntasks-per-node --gpus-per-node --cpus-per-task --gpus-per-task --requeue --open-mode
		--kill-on-bad-exit --nproc-per-node --no-python --nnodes --rdzv-backend --rdzv-endpoint --max-restarts --nv --bind --cleanenv --logdir
		--project --no-deps --table --version --engines --level --data`) {
		known[other] = true
	}
	add := func(f *pflag.Flag) { known["--"+f.Name] = true }
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		c.InitDefaultHelpFlag()
		c.Flags().VisitAll(add)
		c.PersistentFlags().VisitAll(add)
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(&bytes.Buffer{}, nil, new(error)))
	return known
}

// stagesPage is made of the stages' declarations.
const stagesPage = "docs/stages.md"

// TestStagesPageIsCurrent: docs/stages.md is what the declarations give.
func TestStagesPageIsCurrent(t *testing.T) {
	have, err := os.ReadFile(filepath.Join(repository, stagesPage))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, pipeline.Reference()) {
		t.Errorf("%s is not what the stages declare: bin/fmsr describe --markdown > %[1]s", stagesPage)
	}
}

// TestDocuments runs the commands of README.md and of docs: every ```sh block, but for the
// lines of notRun. The blocks of a page run in order in one folder, where the names that
// the documents use are: DATA, COARSE, TRUE_FINE, RUN, and testdata with less of the real frames. bin/fmsr there is a script that trains
// networks as small as possible, for two steps.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("runs every documented command")
	}
	hangUps()
	world := makeWorld(t)
	skipped := map[string]bool{}
	for _, p := range readPages(t) {
		fenced, _ := p.blocks()
		var scripts []block
		for _, b := range fenced {
			if b.language != "sh" {
				continue
			}
			lines := slices.DeleteFunc(commands(b.lines), func(command string) bool {
				key := whyNot(command)
				skipped[key] = true
				return key != ""
			})
			if len(lines) > 0 {
				scripts = append(scripts, block{at: b.at, lines: lines})
			}
		}
		if len(scripts) == 0 {
			continue
		}
		t.Run(filepath.Base(p.path), func(t *testing.T) {
			t.Parallel()
			defer progress(t.Name())()
			if err := hdf5.Usable(); err != nil && filepath.Base(p.path) == "hdf5.md" {
				t.Skip(err)
			}
			dir := world.copy(t)
			for _, s := range scripts {
				cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.Join(s.lines, "\n"))
				cmd.Dir, cmd.Env = dir, world.env(dir)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s:%d: %v\n%s\n%s", p.path, s.at, err, strings.Join(s.lines, "\n"), out)
				}
			}
		})
	}
	for key, why := range notRun {
		if !skipped[key] {
			t.Errorf("notRun has %q (%s), which no document has", key, why)
		}
	}
}

// commands joins the lines of a block that a backslash or a here-document continues, and
// leaves out comments.
func commands(lines []string) []string {
	var out []string
	open, end := false, ""
	for _, line := range lines {
		switch {
		case end != "":
			out[len(out)-1] += "\n" + line
			if line == end {
				end = ""
			}
			continue
		case open:
			out[len(out)-1] = strings.TrimSuffix(out[len(out)-1], "\\") + strings.TrimSpace(line)
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
			continue
		default:
			out = append(out, line)
		}
		open = strings.HasSuffix(line, "\\")
		if _, word, ok := strings.Cut(line, "<<"); ok {
			end = strings.Trim(word, "'")
		}
	}
	return out
}

// whyNot returns the key of notRun that a command begins with, or nothing.
func whyNot(command string) string {
	for key := range notRun {
		if command == key || strings.HasPrefix(command, key+" ") {
			return key
		}
	}
	return ""
}

// world is the folder that the commands of a page run in a copy of.
type world struct{ dir string }

// smaller is bin/fmsr in the world. The flags that it adds come last, so that they count.
const smaller = `#!/bin/sh
real=%q
[ "$1" != init ] || exec "$real" "$@" --no-timing
[ "$1" = run ] || exec "$real" "$@"
spec=$2
if grep -qs '^ *- train:' "$spec"; then
  exec "$real" "$@" --total-steps 2 --batch-size 2 --warmup-steps 0 --model-channels 4 --channel-mult 1,1,1 --print-every 1 --log-every 2 --eval-frames 1 --sample-steps 1 --threads 1
fi
if grep -qs '^ *- synth:' "$spec"; then
  exec "$real" "$@" --grid 16,16 --synth-seeds 3 --synth-frames 4
fi
if grep -qs '^ *- superres:' "$spec"; then
  exec "$real" "$@" --sample-steps 1 --samples 2 --resamples 10 --threads 1
fi
exec "$real" "$@" --threads 1
`

// python3 is a stand-in for a Python without numpy: it runs the only script that documents
// call, examples/pool.py.
const python3 = `#!/bin/sh
[ "$1" = examples/pool.py ] || exit 1
shift
exec %q "$@"
`

// poolMain is examples/pool.py: FINE.npy... DIR.
func poolMain() {
	last := len(os.Args) - 1
	for _, path := range os.Args[1:last] {
		shape, values, err := npy.ReadFile(path)
		if err == nil {
			err = os.MkdirAll(os.Args[last], 0o755)
		}
		if err == nil {
			err = writePooled(filepath.Join(os.Args[last], filepath.Base(path)), shape, values)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// makeWorld makes the folder: data of three simulations under the names of the shipped
// specs, coarse and fine frames, and a run that was trained on them.
func makeWorld(t *testing.T) world {
	t.Helper()
	w := world{t.TempDir()}
	if err := os.MkdirAll(filepath.Join(w.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{"fmsr": fmt.Sprintf(smaller, selfLink(t, "fmsr"))}
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		scripts["python3"] = fmt.Sprintf(python3, selfLink(t, "pool.py"))
	}
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(w.dir, "bin", name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"examples", "interop"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(w.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	cutFrames(t, filepath.Join(root, "testdata"), filepath.Join(w.dir, "testdata"))
	if err := os.CopyFS(filepath.Join(w.dir, "specs"), os.DirFS(filepath.Join(root, "specs"))); err != nil {
		t.Fatal(err)
	}
	w.run(t, `
for set in mri256_nu3e-5 mri128_nu3e-5; do
  bin/fmsr run specs/synth.yaml --out DATA --data-set $set
done
mkdir TRUE_FINE COARSE
for i in 0 1; do cp DATA/mri256_nu3e-5/seed_000$i/npy/*.npy TRUE_FINE/$i.npy; done
bin/fmsr run specs/full.yaml --data-root DATA --out RUN
`)
	if err := writeArray(filepath.Join(w.dir, "DATA", "long.npy"), []int{100, 16, 16, 8}, func(i int) float32 { return wave([]int{16, 16, 8}, i) }); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"0.npy", "1.npy"} {
		shape, values, err := npy.ReadFile(filepath.Join(w.dir, "TRUE_FINE", name))
		if err == nil {
			err = writePooled(filepath.Join(w.dir, "COARSE", name), shape, values)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// cutFrames writes two frames of each real simulation, 32 x 32 cells of them.
func cutFrames(t *testing.T, from, to string) {
	t.Helper()
	const frames, side = 2, 32
	files, err := filepath.Glob(filepath.Join(from, "mri128_nu3e-5", "*", "npy", "*.npy"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %d files", err, len(files))
	}
	for _, file := range files {
		shape, values, err := npy.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h, w, c := shape[1], shape[2], shape[3]
		name, _ := filepath.Rel(from, file)
		if err := writeArray(filepath.Join(to, name), []int{frames, side, side, c}, func(i int) float32 {
			frame, y, x, channel := i/(side*side*c), i/(side*c)%side, i/c%side, i%c
			return values[((frame*h+y)*w+x)*c+channel]
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs commands in the world itself.
func (w world) run(t *testing.T, script string) {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = w.dir, w.env(w.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// copy returns a copy of the world.
func (w world) copy(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("cp", "-a", w.dir+"/.", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// env is the environment of commands in a folder. Nothing that they write leaves it.
func (world) env(dir string) []string {
	return append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "HOME="+dir,
		"XDG_CACHE_HOME="+filepath.Join(dir, ".cache"), "TERM=dumb")
}
