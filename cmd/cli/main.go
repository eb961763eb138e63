// Package cli is fmsr's command line, one file a verb. A program in another module that
// registers stages of its own has the same one: its main calls Main (docs/library.md).
package cli

import "os"

// Main runs the program with the arguments of the process, and ends it.
func Main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }
