package stagetest_test

import (
	"os"
	"os/exec"
	"testing"
)

// TestModule runs the tests of examples/stage, a stage in a module of its own. It asks no
// network: the module needs what this one needs.
func TestModule(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go tool")
	}
	if testing.Short() {
		t.Skip("links a second fmsr")
	}
	test := exec.Command(tool, "test", "./...")
	test.Dir = "../../examples/stage"
	test.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -trimpath", "GOWORK=off", "GOPROXY=off", "GOSUMDB=off")
	if out, err := test.CombinedOutput(); err != nil {
		t.Errorf("go test in %s (go mod tidy there follows a change of go.mod): %v\n%s", test.Dir, err, out)
	}
}
