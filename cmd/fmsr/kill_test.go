package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
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

// TestKilledExportResumes kills an export again and again at random moments, and
// checks that it ends with the same files as an export in one piece.
func TestKilledExportResumes(t *testing.T) {
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
	export := func(out string) *exec.Cmd {
		cmd := exec.Command(program, "run", spec, "--data-root", filepath.Join(dir, "data"), "--out", filepath.Join(dir, out))
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir, "OMP_WAIT_POLICY=passive")
		return cmd
	}
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
		}
	}
	if out, err := export("killed").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("killed %d times", killed)
	if killed == 0 {
		t.Error("no run was killed")
	}
	want, err := os.ReadDir(filepath.Join(dir, "whole"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range want {
		if e.IsDir() || e.Name() == "spec.yaml" { // it names the run's folder
			continue
		}
		a, errA := os.ReadFile(filepath.Join(dir, "whole", e.Name()))
		b, errB := os.ReadFile(filepath.Join(dir, "killed", e.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs: %v, %v", e.Name(), errA, errB)
		}
	}
	got, err := os.ReadDir(filepath.Join(dir, "killed"))
	if err != nil || len(got) != len(want) {
		t.Errorf("the folder has %d entries, want %d: something was left over: %v, %v", len(got), len(want), got, err)
	}
}
