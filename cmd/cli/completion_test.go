package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCompletion presses TAB in bash, in a folder with some files. The script must not run fmsr.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{"my.yaml", "notes.txt", "old.pt", "runs/first/checkpoint.pt", "runs/first/spec.yaml"} {
		path := filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script, err := call("completion", "bash")
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ line, want string }{
		{"fmsr verif", "verify"},
		{"fmsr com", "compare completion"},
		{"fmsr help li", "lint list"},
		{"fmsr run my", "my.yaml"},
		{"fmsr run specs/s", "specs/spectra.yaml specs/superres.yaml specs/synth.yaml"},
		{"fmsr describe pool", "pool_upsample"},
		{"fmsr run my.yaml --total", "--total-steps"},
		{"fmsr run my.yaml --padding ", "as_trained open periodic zeros"},
		{"fmsr run my.yaml --padding=z", "zeros"},
		{"fmsr run my.yaml --lr ", ""},
		{"fmsr run my.yaml --set train.lr", "train.lr= train.lr_schedule="},
		{"fmsr run my.yaml --set train.lr_schedule=co", "constant cosine"},
		{"fmsr run my.yaml --set=run.overfit=", "true false"},
		{"fmsr run my.yaml --set run.grid.boundary=o", "open"},
		{"fmsr run specs/superres.yaml --checkpoint ", "old.pt runs runs/first/checkpoint.pt"},
		{"fmsr run my.yaml --no-bf16 m", "my.yaml"},
		{"fmsr watch r", "runs"},
		{"fmsr cache ", "ls rm"},
		{"fmsr completion z", "zsh"},
		{"fmsr ls --hel", "--help"},
		{"fmsr --hel", "--help"},
		{"fmsr run my.yaml --help m", "my.yaml"},
	}
	script += "\nfmsr() { echo fmsr was run; }\n"
	for _, c := range cases {
		script += "COMP_LINE=" + shellCommand([]string{c.line}) + "; COMP_POINT=${#COMP_LINE}; _fmsr; echo \"${COMPREPLY[*]}\"\n"
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, out)
	}
	got := strings.Split(string(out), "\n")
	for i, c := range cases {
		if i >= len(got) || got[i] != c.want {
			t.Errorf("%s<TAB>: %q, want %q", c.line, got[min(i, len(got)-1)], c.want)
		}
	}
	for _, shell := range []string{"zsh", "fish"} {
		script, err := call("completion", shell)
		if err != nil || !strings.Contains(script, "train.lr_schedule=") || !strings.Contains(script, "specs/superres.yaml") {
			t.Errorf("%s: %v, or the script lacks names:\n%.500s", shell, err, script)
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.Command(path, "-n")
			check.Stdin = strings.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%s -n: %v\n%s", shell, err, out)
			}
		}
	}
}
