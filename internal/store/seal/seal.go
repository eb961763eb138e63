// Package seal ends JSON objects with a checksum of everything before it:
//
//	{"format":2, ...,
//	"crc32c": "1a2b3c4d"}
//
// They stay JSON, and a change of any bit is found.
package seal

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
)

const (
	ending = ",\n\"crc32c\": \"%08x\"}\n"
	length = len(ending) - len("%08x") + 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Object returns the text of a JSON object with the checksum as its last member. The
// object has other members already.
func Object(text []byte) []byte {
	open := bytes.TrimRight(bytes.TrimSuffix(bytes.TrimRight(text, "\n"), []byte("}")), "\n")
	return fmt.Appendf(bytes.Clone(open), ending, crc32.Checksum(open, castagnoli))
}

// Check returns an error unless an object ends with its checksum.
func Check(sealed []byte) error {
	at := len(sealed) - length
	if at < 0 || string(sealed[at:]) != fmt.Sprintf(ending, crc32.Checksum(sealed[:at], castagnoli)) {
		return errors.New("damaged, edited or of an older fmsr: it does not end with the checksum of its text")
	}
	return nil
}
