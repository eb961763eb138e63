// Command fmsr trains and applies flow-matching super-resolution models of MHD
// fields: fmsr run specs/full.yaml. See fmsr help.
package main

import "os"

func main() {
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}
