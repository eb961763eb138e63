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

// Sum returns the CRC-32C of data.
func Sum(data []byte) uint32 { return crc32.Checksum(data, castagnoli) }

// Object returns the text of a JSON object with the checksum as its last member. The
// object has other members already.
func Object(text []byte) []byte {
	open := bytes.TrimRight(bytes.TrimSuffix(bytes.TrimRight(text, "\n"), []byte("}")), "\n")
	return fmt.Appendf(bytes.Clone(open), ending, Sum(open))
}

// Check returns an error unless an object ends with its checksum.
func Check(sealed []byte) error {
	at := len(sealed) - length
	if at < 0 || string(sealed[at:]) != fmt.Sprintf(ending, Sum(sealed[:at])) {
		return errors.New("damaged, edited or of an older fmsr: it does not end with the checksum of its text")
	}
	return nil
}
