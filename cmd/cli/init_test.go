package cli

import (
	"archive/zip"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/testkit/pty"
)

// turbulence returns an array of smooth periodic fields with these axes, of F H W C.
func turbulence(axes string, shape ...int) []float32 {
	total := 1
	for _, d := range shape {
		total *= d
	}
	values := make([]float32, total)
	for i := range values {
		at, rest := map[rune]int{}, i
		for j := len(shape) - 1; j >= 0; j-- {
			at[rune(axes[j])], rest = rest%shape[j], rest/shape[j]
		}
		phase := float64(at['F']) + 2*float64(at['C'])
		values[i] = float32(math.Sin(math.Pi/8*float64(at['X'])+phase) + math.Cos(math.Pi/8*float64(at['Y'])-phase))
	}
	return values
}

// turbulent writes arrays of turbulence: "PATH AXES SHAPE", as "a/b.npy FYXC 6,16,16,2", or with a
// type behind them. An npz file has an array of each of the names: "a.npz FYX 6,16,16 rho,v".
func turbulent(t *testing.T, dir string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		words := strings.Split(line, " | ")
		var shape []int
		for _, d := range strings.Split(words[2], ",") {
			n := 0
			fmt.Sscan(d, &n)
			shape = append(shape, n)
		}
		values, path := turbulence(words[1], shape...), filepath.Join(dir, words[0])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case len(words) == 3:
			err = npy.WriteFile(path, shape, values)
		case strings.HasSuffix(path, ".npz"):
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for _, name := range strings.Split(words[3], ",") {
				w, _ := z.Create(name + ".npy")
				_, _ = w.Write(encode(shape, values, "<f4"))
			}
			z.Close()
			err = os.WriteFile(path, b.Bytes(), 0o644)
		default:
			err = os.WriteFile(path, encode(shape, values, words[3]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// fmsr runs the program here, and returns its exit status and what it prints.
func fmsr(args ...string) (status int, text string) {
	var b bytes.Buffer
	status = execute(args, &b, &b)
	return status, b.String()
}

// TestInit: the spec that init writes for a layout is right, and runs as it is.
func TestInit(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for what, c := range map[string]struct{ files, want []string }{
		"a file a seed": {
			[]string{"run_3/all.npy | FYXC | 4,16,16,2", "run_5/all.npy | FYXC | 4,16,16,2", "run_12/all.npy | FYXC | 4,16,16,2"},
			[]string{`pattern: "run_{seed}/all.npy"`, "fields: [field0, field1]   # FILL IN the names", "split: {train: [3], val: [5], test: [12]}", "channels: all\n", "boundary: [periodic, periodic]"},
		},
		"a file a field": {
			[]string{"a/0/rho.npy | FYX | 4,16,16", "a/0/vx.npy | FYX | 4,16,16", "a/1/rho.npy | FYX | 4,16,16", "a/1/vx.npy | FYX | 4,16,16"},
			[]string{`pattern: "a/{seed}/{field}.npy"`, "fields: [rho, vx]   # as files or arrays", "channels: [rho, vx]\n", "split: {train: [0], val: [1]}"},
		},
		"a snapshot a file": {
			[]string{"t_1.npy | YXC | 16,16,2", "t_2.npy | YXC | 16,16,2", "t_3.npy | YXC | 16,16,2", "t_7.npy | YXC | 16,16,2"},
			[]string{`pattern: "t_{frame}.npy"`, "overfit: true   # 4 frames are too few"},
		},
		"float64": {
			[]string{"1.npy | FYXC | 2,16,16,1 | <f8", "2.npy | FYXC | 2,16,16,1 | >f8"},
			[]string{`pattern: "{seed}.npy"`, "float64 (frames, H, W, fields)", "fields: [field0]"},
		},
		"npz": {
			[]string{"s1.npz | FYX | 4,16,16 | Bx,By", "s2.npz | FYX | 4,16,16 | Bx,By"},
			[]string{`pattern: "s{seed}.npz"`, "fields: [Bx, By]   # as files"},
		},
		"channels first": {
			[]string{"1.npy | FCYX | 4,2,16,16", "2.npy | FCYX | 4,2,16,16"},
			[]string{"axes: FCHW"},
		},
		"one run": {
			[]string{"x.npy | FYXC | 20,16,16,1"},
			[]string{"files:   # as seeds 0, 1, ...\n        - ../data/x.npy\n", "split_time: {train: 0.8, val: 0.1, test: 0.1, gap: 1}", "14 frames for training"},
		},
		"odd names": {
			[]string{"a # b: [1]'\"/ü 7 \t.npy | FYXC | 4,16,16,1", "a # b: [1]'\"/ü 8 \t.npy | FYXC | 4,16,16,1"},
			[]string{`pattern: "a # b: [1]'\"/ü {seed} \t.npy"`},
		},
		"nested folders": {
			[]string{"sim/nu3/seed_1/out/snap_10/f_16x16.npy | YXC | 16,16,2", "sim/nu3/seed_1/out/snap_20/f_16x16.npy | YXC | 16,16,2", "sim/nu3/seed_2/out/snap_10/f_16x16.npy | YXC | 16,16,2", "sim/nu3/seed_2/out/snap_20/f_16x16.npy | YXC | 16,16,2"},
			[]string{`pattern: "sim/nu3/seed_{seed}/out/snap_{frame}/f_16x16.npy"`},
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			turbulent(t, filepath.Join(dir, "data"), c.files...)
			if err := os.Mkdir(filepath.Join(dir, "here"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Chdir(filepath.Join(dir, "here"))
			if status, text := fmsr("init", "../data", "--no-timing"); status != 0 || !strings.Contains(text, "next: ") || !strings.HasSuffix(text, " run fmsr.yaml\n") {
				t.Fatalf("%d: %s", status, text)
			}
			spec, err := os.ReadFile("fmsr.yaml")
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(spec), want) {
					t.Errorf("no %s in\n%s", want, spec)
				}
			}
			if status, text := fmsr("lint", "fmsr.yaml"); status != 0 || text != "fmsr.yaml: ok\n" {
				t.Errorf("lint: %d: %s", status, text)
			}
			status, text := fmsr("run", "fmsr.yaml", "--total-steps", "2", "--model-channels", "4", "--channel-mult", "1,1", "--no-bf16", "--threads", "1", "--sample-steps", "1", "--eval-frames", "1", "--set", "eval.linear=false", "--batch-size", "1")
			if status != 0 || !strings.Contains(text, "step 2/2") {
				t.Errorf("run: %d: %s", status, text)
			}
		})
	}
}

// TestInitSaysWhy: what init and inspect refuse, and why.
func TestInitSaysWhy(t *testing.T) {
	t.Chdir(t.TempDir())
	turbulent(t, "mix", "1/rho.npy | FYX | 3,8,8", "1/vx.npy | FYX | 3,8,8", "2/rho.npy | FYX | 3,8,8")
	turbulent(t, "single", "a.npy | YXC | 8,8,2")
	turbulent(t, "odd", "a.npy | FYXC | 8,9,9,2")
	turbulent(t, "one", "a.npy | FYXC | 8,8,8,1")
	for _, dir := range []string{"empty", "text"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, text := range map[string]string{"text/x.yaml": "version: 1", "there.yaml": ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"init nowhere":                     "nowhere: no such file or directory",
		"init empty":                       "empty: no npy, npz or HDF5 file there",
		"init text":                        "text: no npy, npz or HDF5 file there, and no run of AthenaK: it has 1 .yaml",
		"init mix":                         "a field is missing: beside 2/rho.npy there is no file for vx, which other files name",
		"init single":                      "single: one frame: training needs several",
		"init odd":                         "odd: grid 9 x 9: pooling by 2 needs even numbers of cells",
		"init one --to there.yaml":         "there.yaml is there already: give another file by --to, or replace it by --force",
		"inspect text/x.yaml":              `text/x.yaml: it starts with "version:": want npy, npz, HDF5, Arrow`,
		"inspect nowhere":                  "nowhere: no such file or directory",
		"inspect one --frames -1":          "--frames -1: want the number of frames, or 0 for all",
		"inspect one/a.npy --field vx":     "--field vx: no such field",
		"inspect one --frames 1 --field x": "--field x: no such field",
	} {
		if status, text := fmsr(strings.Fields(line)...); status != exitInput || !strings.Contains(text, want) {
			t.Errorf("%s: %d: %s\nwant %s", line, status, text, want)
		}
	}
	if _, err := os.Stat("fmsr.yaml"); err == nil {
		t.Error("a spec was written")
	}
	if status, text := fmsr("init", "one", "--no-timing", "--to", "-"); status != 0 || !strings.Contains(text, "\n        - /") || !strings.HasSuffix(text, "  - report:\n") {
		t.Errorf("%d: %s", status, text)
	}
	// DIR may be a file, and the spec's folder may have to be made.
	if status, text := fmsr("init", "one/a.npy", "--no-timing", "--to", "new/folder/one.yaml"); status != 0 || !strings.Contains(text, "wrote new/folder/one.yaml") {
		t.Errorf("%d: %s", status, text)
	}
	if status, text := fmsr("init", "one", "--no-timing", "--to", "there.yaml", "--force"); status != 0 || !strings.Contains(text, "wrote there.yaml") {
		t.Errorf("%d: %s", status, text)
	}
}

// TestInitAsks: on a terminal init asks what files cannot say, again if the answer makes no
// sense.
func TestInitAsks(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program")
	}
	dir := t.TempDir()
	turbulent(t, filepath.Join(dir, "data"), "1.npy | FYXC | 4,16,16,2", "2.npy | FYXC | 4,16,16,2")
	terminal := pty.Open(t, 200, 24)
	cmd := exec.Command(programLink(t), "init", "data", "--no-timing")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm-256color")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.Program, terminal.Program, terminal.Program
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	at := 0
	for _, c := range [][2]string{
		{"names of the 2 fields, in their order [field0,field1]: ", "Bx\n"}, {"1 names, want 2", "Bx, By\n"},
		{"boundaries along y and x, periodic or open (edges along y and x look periodic) [periodic,periodic]: ", "periodic open\n"},
		{"height and width of the domain, as 1,1 [square cells]: ", "2,-1\n"}, {`want two positive numbers`, "2,1\n"},
	} {
		for end := time.Now().Add(time.Minute); !strings.Contains(terminal.Shown()[at:], c[0]); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				_ = cmd.Process.Kill()
				t.Fatalf("no %q: %q", c[0], terminal.Shown()[at:])
			}
		}
		at += strings.Index(terminal.Shown()[at:], c[0]) + len(c[0])
		terminal.Type(c[1])
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %q", err, terminal.Shown())
	}
	spec, err := os.ReadFile(filepath.Join(dir, "fmsr.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fields: [Bx, By]\n", "boundary: [periodic, open]   # along y and along x, of all stages; as you said", "box: [2, 1]"} {
		if !strings.Contains(string(spec), want) {
			t.Errorf("no %s in\n%s", want, spec)
		}
	}
}
