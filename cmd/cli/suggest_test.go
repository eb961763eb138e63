package cli

import (
	"bytes"
	"strings"
	"testing"
)

// call runs the program's commands in this process, and returns what they print and their
// error.
func call(args ...string) (string, error) {
	var out bytes.Buffer
	var unhelped error
	root := newRoot(&out, &signals{}, &unhelped)
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		err = unhelped
	}
	return out.String(), err
}

// TestSuggestions: an unknown name of any kind brings the nearest that is known.
func TestSuggestions(t *testing.T) {
	for args, want := range map[string]string{
		"rnu specs/demo.yaml --lr 3":                      `unknown command "rnu" for "fmsr" (did you mean "run"?)`,
		"help rnu":                                        `unknown command "rnu" for "fmsr" (did you mean "run"?)`,
		"--nonsense":                                      "unknown flag: --nonsense",
		"cache lss":                                       `unknown command "lss" for "fmsr cache" (did you mean "ls"?)`,
		"run specs/demo.yaml --total_step 9":              "unknown flag: --total_step (did you mean --total-steps?)",
		"run specs/demo.yaml -lr 3":                       "in -lr (did you mean --lr?)",
		"run demo":                                        `spec demo: no such file or directory (did you mean "specs/demo.yaml"?)`,
		"run specs/supperres.yaml":                        `(did you mean "specs/superres.yaml"?)`,
		"run nosuch.yaml --help":                          "spec nosuch.yaml: no such file or directory; shipped are specs/demo.yaml, ",
		"describe trian":                                  `no stage "trian": fmsr list shows them (did you mean "train"?)`,
		"lint specs/demo.yaml --set trian.lr=1":           `the spec has no trian stage (did you mean "train"?)`,
		"lint specs/demo.yaml --set train.total_step=1":   `unknown key (did you mean "total_steps"?)`,
		"lint specs/demo.yaml --set train.padding=zeroes": `is "zeroes": want periodic, open or zeros (did you mean "zeros"?)`,
	} {
		_, err := call(strings.Fields(args)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fmsr %s: error %v, want %s", args, err, want)
		}
	}
}

// TestSpecHelp: a spec's help shows its own flags, each at the stage that it reaches.
func TestSpecHelp(t *testing.T) {
	for _, args := range []string{"run specs/superres.yaml --help", "help run specs/superres.yaml"} {
		help, err := call(strings.Fields(args)...)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"\nfiles_load: Reads the frames of npy and npz files of any grid.\n  --input path    an npy or npz file",
			"(also for physics,", "\nrun: the run as a whole\n", "\n      --resume string",
		} {
			if !strings.Contains(help, want) {
				t.Errorf("fmsr %s: no %q in\n%s", args, want, help)
			}
		}
		if strings.Contains(help, "--data-root") || strings.Count(help, "--truth path") != 1 {
			t.Errorf("fmsr %s: other stages' flags, or one twice:\n%s", args, help)
		}
	}
}
