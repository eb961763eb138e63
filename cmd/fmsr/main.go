// Command fmsr trains and applies flow-matching super-resolution models of MHD
// fields: fmsr run specs/full.yaml. See fmsr help. Package cli is the program.
package main

import "fmsr.example/fmsr/cmd/cli"

func main() { cli.Main() }
