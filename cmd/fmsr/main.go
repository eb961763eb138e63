// Command fmsr trains and applies flow-matching super-resolution models of MHD
// fields: fmsr run specs/full.yaml. See fmsr help.
package main

import (
	"os"
	"syscall"
)

func main() {
	waitPassively()
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}

// waitPassively starts the program once more with OMP_WAIT_POLICY=passive where
// nothing is said. OpenMP reads it as it is loaded, before anything of ours runs,
// and its threads otherwise spin at barriers, which costs a factor of ten where
// other processes want the cores.
func waitPassively() {
	const policy = "OMP_WAIT_POLICY"
	if _, said := os.LookupEnv(policy); said {
		return
	}
	program, err := os.Executable()
	if err != nil {
		return // slower at worst
	}
	_ = syscall.Exec(program, os.Args, append(os.Environ(), policy+"=passive")) // returns only if it fails
}
