// Package specs is the specs that fmsr ships, in the binary too: a name like
// specs/full.yaml means these where there is no such file.
package specs

import "embed"

// FS holds the shipped *.yaml.
//
//go:embed *.yaml
var FS embed.FS
