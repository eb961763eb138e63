// Command fmsr is fmsr with one more stage: vorticity.
package main

import (
	"fmsr.example/fmsr/cmd/cli"

	_ "example.org/vorticity/vorticity"
)

func main() { cli.Main() }
