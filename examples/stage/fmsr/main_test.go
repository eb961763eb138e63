package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_FMSR") != "" {
		main()
	}
	os.Exit(m.Run())
}

// fmsr runs the program, and returns what it prints.
func fmsr(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "RUN_AS_FMSR=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("fmsr %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestSpec: the program knows the stage, and the data set that the spec makes has the new field.
func TestSpec(t *testing.T) {
	if out := fmsr(t, "describe", "vorticity"); !strings.Contains(out, "refuses  paired (x_hi, x_lo), normalized") {
		t.Errorf("it is described as\n%s", out)
	}
	dir := t.TempDir()
	fmsr(t, "run", "../vorticity.yaml", "--out", dir)
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Channels []string `json:"channel_names"`
	}
	if err := json.Unmarshal(data, &manifest); err != nil || !slices.Equal(manifest.Channels, []string{"velx", "vely", "vortz"}) {
		t.Errorf("%v: the fields are %v", err, manifest.Channels)
	}
}
