package cli

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/testkit/akfile"
	"fmsr.example/fmsr/internal/torchx"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fmsr":    func() { asRank(); killWithin(); Main() },
		"pool.py": poolMain,
	})
}

// concurrent are the scripts that between them start every kind of stage but superres (the
// tests of sinks start that), stop runs at any moment, and let several share work: all that
// the race detector can see in the others.
var concurrent = []string{"train", "ends", "export", "merge"}

// hangUps lets programs that the tests start be ended by a hang-up, also under nohup: they
// would ignore it too, unless it is caught here, until all tests have ended.
var hangUps = sync.OnceFunc(func() {
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
})

// TestScripts runs the real program through testdata/script, which reads like its
// manual. With -short, only the concurrent ones.
func TestScripts(t *testing.T) {
	hangUps()
	dir, files := "testdata/script", []string(nil)
	if testing.Short() {
		for _, name := range concurrent {
			files = append(files, filepath.Join(dir, name+".txtar"))
		}
		dir = ""
	}
	fixtures, err := filepath.Abs("../../internal/format/hdf5/testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, Files: files,
		Setup: func(e *testscript.Env) error {
			e.Defer(progress("TestScripts/" + strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")))
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, ".cache"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("FMSR_HDF5", os.Getenv("FMSR_HDF5"))
			e.Setenv("HDF5", os.Getenv("FMSR_HDF5"))
			e.Setenv("FIXTURES", fixtures)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "bf16" { // the processor has instructions for it
				return torchx.CPU.HasBF16(), nil
			}
			if name == "hdf5" {
				return hdf5.Usable() == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"npy": npyCommand, "exits": exitsCommand, "shape": shapeCommand, "pool": poolCommand, "retype": retypeCommand, "flip": flipCommand, "trace": traceCommand, "athenak": athenakCommand},
	})
}

// shown is when the tests began, and when a line was shown last.
var shown = struct {
	sync.Mutex
	began, last time.Time
}{began: time.Now(), last: time.Now()}

// progress returns a function for the end of a part of a test. It shows the part's name
// and time on stderr, if the last line is some seconds old: the tests take minutes. go
// test passes stderr on at once where it is run in this folder.
func progress(name string) func() {
	began := time.Now()
	return func() {
		shown.Lock()
		defer shown.Unlock()
		if now := time.Now(); now.Sub(shown.last) > 3*time.Second {
			shown.last = now
			fmt.Fprintf(os.Stderr, "%5.0fs  %s took %.1f s\n", now.Sub(shown.began).Seconds(), name, now.Sub(began).Seconds())
		}
	}
}

// programLink returns a link named fmsr to the test binary. By that name the binary
// runs as the program.
func programLink(t *testing.T) string { return selfLink(t, "fmsr") }

// selfLink returns a link to the test binary, which runs by that name what TestMain says.
func selfLink(t *testing.T, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// writeArray writes an npy file with value(i) at position i, and makes its folder.
func writeArray(path string, shape []int, value func(i int) float32) error {
	total := 1
	for _, d := range shape {
		total *= d
	}
	values := make([]float32, total)
	for i := range values {
		values[i] = value(i)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return npy.WriteFile(path, shape, values)
}

// wave returns the i-th value of an array whose last axes are W and channels: smooth
// waves along W, different in every frame and channel.
func wave(shape []int, i int) float32 {
	c := shape[len(shape)-1]
	w := shape[max(0, len(shape)-2)]
	return float32(math.Sin(0.7*float64(i/c%w)+float64(i%c)) * math.Cos(0.001*float64(i)))
}

// npyCommand writes an array of waves: npy PATH F,H,W,C [POSITION=VALUE].
func npyCommand(ts *testscript.TestScript, _ bool, args []string) {
	var shape []int
	for _, d := range strings.Split(args[1], ",") {
		n, err := strconv.Atoi(d)
		ts.Check(err)
		shape = append(shape, n)
	}
	at, v := -1, 0.0
	if len(args) > 2 {
		position, value, _ := strings.Cut(args[2], "=")
		var err error
		at, err = strconv.Atoi(position)
		ts.Check(err)
		v, err = strconv.ParseFloat(value, 32)
		ts.Check(err)
	}
	ts.Check(writeArray(ts.MkAbs(args[0]), shape, func(i int) float32 {
		if i == at {
			return float32(v)
		}
		return wave(shape, i)
	}))
}

// athenakCommand writes a run of AthenaK: athenak FOLDER FRAMES,H,W. Its waves depend on the
// last digit of the folder's name, so that a coarse run is like the fine one of its name.
func athenakCommand(ts *testscript.TestScript, _ bool, args []string) {
	var n, h, w int
	_, err := fmt.Sscanf(args[1], "%d,%d,%d", &n, &h, &w)
	ts.Check(err)
	phase := 0.37 * float64(args[0][len(args[0])-1]) // by the digit at the folder's end
	ts.Check(akfile.Fields(ts.MkAbs(args[0]), n, h, w, func(variable string, frame, y, x int) float64 {
		at := phase + float64(frame) + float64(variable[len(variable)-1])
		return 2 + math.Sin(at+2*math.Pi*(float64(x)+0.5)/float64(w)) + math.Sin(2*at+2*math.Pi*(float64(y)+0.5)/float64(h))
	}))
}

// flipCommand flips a bit of a file; a second flip restores it: flip PATH BYTE.
func flipCommand(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// exitsCommand runs fmsr and checks its exit status: exits 2 fmsr run ...
func exitsCommand(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s", fmt.Sprintf("%v: exit status %s, want %s", args[1:], got, args[0]))
	}
}

// shapeCommand checks the shape of an array: shape PATH F,H,W,C.
func shapeCommand(ts *testscript.TestScript, _ bool, args []string) {
	f, err := npy.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	got := strings.ReplaceAll(strings.Trim(fmt.Sprint(f.Shape), "[]"), " ", ",")
	if got != args[1] {
		ts.Fatalf("%s has shape %s, want %s", args[0], got, args[1])
	}
}

// poolCommand averages 2 x 2 cells of an array (F,H,W,C): pool FROM TO.
func poolCommand(ts *testscript.TestScript, _ bool, args []string) {
	shape, values, err := npy.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(writePooled(ts.MkAbs(args[1]), shape, values))
}

// writePooled writes the averages over 2 x 2 cells of an array (F,H,W,C).
func writePooled(path string, shape []int, values []float32) error {
	n, h, w, c := shape[0], shape[1]/2, shape[2]/2, shape[3]
	coarse := make([]float32, n*h*w*c)
	for i, v := range values {
		frame, y, x, channel := i/(4*h*w*c), i/(2*w*c)%(2*h), i/c%(2*w), i%c
		coarse[((frame*h+y/2)*w+x/2)*c+channel] += v / 4
	}
	return npy.WriteFile(path, []int{n, h, w, c}, coarse)
}
