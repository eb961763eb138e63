package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const killSpec = `
version: 1
run: {name: killed, overfit: false, threads: 1}
flow:
  - npy_load: {set: set, fields: [a, b, c, d]}
  - channel_select: {channels: all}
  - pool_upsample:
  - export:
`

// killData is an export's spec and ten seeds in a new folder. It returns the command of fmsr
// on that spec, with these arguments.
func killData(t *testing.T) (dir string, export func(out string, args ...string) *exec.Cmd) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts the program many times")
	}
	dir, program := t.TempDir(), programLink(t)
	spec := filepath.Join(dir, "killed.yaml")
	if err := os.WriteFile(spec, []byte(killSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	for seed := range 10 {
		path := filepath.Join(dir, "data", "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy")
		if err := writeArray(path, []int{6, 64, 64, 4}, func(i int) float32 { return float32(i%1013 + seed) }); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(out string, args ...string) *exec.Cmd {
		args = append([]string{"run", spec, "--data-root", filepath.Join(dir, "data"), "--out", filepath.Join(dir, out)}, args...)
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir, "OMP_WAIT_POLICY=passive")
		return cmd
	}
}

// sameFolder checks that an export in pieces left the files of one in one piece, those of
// shards aside, and no others.
func sameFolder(t *testing.T, dir, whole, pieces string) {
	t.Helper()
	want, err := os.ReadDir(filepath.Join(dir, whole))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range want {
		if e.IsDir() || e.Name() == "spec.yaml" { // it names the run's folder
			continue
		}
		a, errA := os.ReadFile(filepath.Join(dir, whole, e.Name()))
		b, errB := os.ReadFile(filepath.Join(dir, pieces, e.Name()))
		if errA != nil || errB != nil || (e.Name() != ".fmsr" && !bytes.Equal(a, b)) {
			t.Errorf("%s differs: %v, %v", e.Name(), errA, errB)
		}
	}
	got, err := os.ReadDir(filepath.Join(dir, pieces))
	got = slices.DeleteFunc(got, func(e os.DirEntry) bool { return strings.Contains(e.Name(), "-of-") })
	if err != nil || len(got) != len(want) {
		t.Errorf("the folder has %d entries, want %d: something was left over: %v, %v", len(got), len(want), got, err)
	}
}

// TestKilledShardsMerge kills a shard at random moments. Merging names it until it has
// ended, and then gives the bytes of one run.
func TestKilledShardsMerge(t *testing.T) {
	dir, export := killData(t)
	began := time.Now()
	if out, err := export("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole := time.Since(began)
	merge := func() (string, error) {
		cmd := export("")
		cmd.Args = []string{cmd.Args[0], "merge", filepath.Join(dir, "shards")}
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	random := rand.New(rand.NewPCG(3, 4))
	if out, err := export("shards", "--shard", "2/2").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for range 4 {
		cmd := export("shards", "--shard", "1/2")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.Int64N(int64(whole))))
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		out, err := merge()
		if err != nil && (!strings.Contains(out, "shards: shard 1/2 is ") || strings.Count(out, "\n") != 1) {
			t.Errorf("a killed shard: %v: %s", err, out)
		}
	}
	if out, err := export("shards", "--shard", "1/2").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out, err := merge(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	sameFolder(t, dir, "whole", "shards")
}

// TestKilledExportResumes kills an export again and again at random moments, and
// checks that it ends with the same files as an export in one piece.
func TestKilledExportResumes(t *testing.T) {
	dir, export := killData(t)
	began := time.Now()
	if out, err := export("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	whole := time.Since(began)
	random := rand.New(rand.NewPCG(1, 2))
	killed := 0
	for range 12 {
		cmd := export("killed")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(whole/4 + time.Duration(random.Int64N(int64(whole/2)))) // after the start, where there is nothing to lose
		_ = cmd.Process.Kill()                                             // it may have ended
		if err := cmd.Wait(); err != nil {
			killed++
			if !strings.Contains(err.Error(), "killed") {
				t.Fatalf("%v: %s", err, out.String())
			}
		} else {
			whole = max(whole*3/4, 100*time.Millisecond) // the machine was busier then, or there was more to do
		}
	}
	if out, err := export("killed").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Error("no run was killed")
	}
	sameFolder(t, dir, "whole", "killed")
}
