package npy

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/floats"
	"fmsr.example/fmsr/internal/store/infile"
)

// zipMagic starts a zip file that is not empty.
const zipMagic = "PK\x03\x04"

// openZip opens an array of an npz file.
func openZip(file *infile.File, array string) (*File, error) {
	path := file.Name()
	z, err := zip.NewReader(file, file.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	member, err := choose(z.File, array)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	open := inflate
	if member.Method == zip.Store {
		open = openMember
	}
	f, err := open(file, member)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", path, member.Name, err)
	}
	f.Path = path + ": " + member.Name
	return f, nil
}

// Arrays returns the names of the arrays in an npz file, and none for an npy file.
func Arrays(path string) (names []string, err error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if !isZip(f) {
		return nil, nil
	}
	z, err := zip.NewReader(f, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, m := range z.File {
		if name, ok := strings.CutSuffix(m.Name, ".npy"); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// Largest returns the arrays of an npz file that have the same shape, of all shapes that
// which takes most values, with the shape and the type of the first. Of an npy file it
// returns the shape and the type alone.
func Largest(path string) (names []string, shape []int, dtype string, err error) {
	all, err := Arrays(path)
	if err != nil {
		return nil, nil, "", err
	}
	if len(all) < 2 {
		a, err := Open(path)
		if err != nil {
			return nil, nil, "", err
		}
		defer a.Close()
		return all, a.Shape, a.DType, nil
	}
	shapes, total, largest := map[string]string{}, map[string]int{}, ""
	for _, name := range all {
		a, openErr := OpenArray(path, name)
		if openErr != nil { // such as a time step's number, an integer
			err = openErr
			continue
		}
		a.Close()
		key := fmt.Sprint(a.Shape)
		if shapes[name] == "" {
			total[key] += values(a.Shape)
		}
		shapes[name] = key
		if total[key] > total[largest] {
			largest, shape, dtype = key, a.Shape, a.DType
		}
	}
	if largest == "" {
		return nil, nil, "", err
	}
	for _, name := range all {
		if shapes[name] == largest && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, shape, dtype, nil
}

func values(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func isZip(f io.ReaderAt) bool {
	start := make([]byte, len(zipMagic))
	n, _ := f.ReadAt(start, 0)
	return n == len(start) && string(start) == zipMagic
}

// choose returns the member that holds the array of that name, or the only array for "". Of
// members of one name, which writers that append leave, it is the last, as for numpy.
func choose(members []*zip.File, array string) (*zip.File, error) {
	var names []string
	var only *zip.File
	seen := map[string]bool{}
	for _, m := range slices.Backward(members) {
		name, ok := strings.CutSuffix(m.Name, ".npy")
		if !ok || seen[name] {
			continue
		}
		if name == array {
			return m, nil
		}
		names, only, seen[name] = append(names, name), m, true
	}
	slices.Reverse(names)
	switch {
	case array != "":
		return nil, fmt.Errorf("no array %q: it has %s", array, list(names))
	case len(names) != 1:
		return nil, fmt.Errorf("want one array, one for each field, or the name of one: it has %s", list(names))
	}
	return only, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	const most = 20
	if len(names) > most {
		names = append(names[:most:most], "...")
	}
	return strings.Join(names, ", ")
}

// openMember opens an array that numpy.savez stored as it is.
func openMember(file *infile.File, m *zip.File) (*File, error) {
	start, err := m.DataOffset()
	if err != nil {
		return nil, err
	}
	if left := file.Size - start; left < 0 || m.UncompressedSize64 > uint64(left) {
		return nil, fmt.Errorf("%d bytes at %d in a file of %d", m.UncompressedSize64, start, file.Size)
	}
	end := start + int64(m.UncompressedSize64)
	a, err := storedArray(file, start, end)
	if err != nil || m.CRC32 == 0 { // zip's readers take 0 for no checksum
		return a, err
	}
	head := make([]byte, a.start-start)
	if err := file.Fill(head, start); err != nil {
		return nil, err
	}
	a.sum = &storedSum{want: m.CRC32, head: crc32.ChecksumIEEE(head), start: a.start, end: end}
	return a, nil
}

// storedSum checks the CRC of a stored array that is read in order, from start to end.
type storedSum struct {
	want, head uint32 // of the array with its header, and of the header
	start, end int64  // of the values in the file

	before uint32 // of the bytes before next
	next   int64  // 0: the start has not been read
}

// add returns an error if data, the bytes of the file from at on, are the last, and the
// CRC is wrong.
func (s *storedSum) add(data []byte, at int64) error {
	if at == s.start {
		s.before, s.next = s.head, at
	}
	if at != s.next {
		return nil
	}
	s.before, s.next = crc32.Update(s.before, crc32.IEEETable, data), at+int64(len(data))
	if s.next == s.end && s.before != s.want {
		return fmt.Errorf("damaged: CRC %08x, but the zip says %08x", s.before, s.want)
	}
	return nil
}

// inflated reads an array that numpy.savez_compressed wrote. It keeps one piece of the
// array in memory, whatever the array's size.
type inflated struct {
	member *zip.File
	shape  []int
	r      io.ReadCloser // after next values; nil before the first
	next   int
	piece  []byte
}

func inflate(_ *infile.File, m *zip.File) (*File, error) {
	r, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("compression method %d: %w", m.Method, err)
	}
	defer r.Close()
	f, length, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	if m.UncompressedSize64 > 1<<62 {
		return nil, fmt.Errorf("%d bytes: too large", m.UncompressedSize64)
	}
	if err := f.checkLength(length, int64(m.UncompressedSize64)); err != nil {
		return nil, err
	}
	f.stream = &inflated{member: m, shape: f.Shape, piece: make([]byte, pieceSize)}
	return f, nil
}

// read fills dst with values, starting at index at. It continues where the last read
// ended, or starts again from the beginning.
func (s *inflated) read(dst []float32, at int, dtype string) error {
	if s.r == nil || at < s.next {
		if err := s.restart(); err != nil {
			return err
		}
	}
	size := floats.Sizes[dtype]
	if _, err := io.CopyN(io.Discard, s.r, int64(at-s.next)*int64(size)); err != nil {
		return s.damage(err)
	}
	s.next = at
	for len(dst) > 0 {
		n := min(len(dst), len(s.piece)/size)
		if _, err := io.ReadFull(s.r, s.piece[:n*size]); err != nil {
			return s.damage(err)
		}
		floats.Convert(dst[:n], s.piece, dtype)
		dst = dst[n:]
		s.next += n
	}
	return s.checkSum()
}

// checkSum reads beyond the array's end, because only then zip checks the CRC.
func (s *inflated) checkSum() error {
	total := 1
	for _, d := range s.shape {
		total *= d
	}
	if s.next < total {
		return nil
	}
	if _, err := io.ReadFull(s.r, s.piece[:1]); !errors.Is(err, io.EOF) {
		return s.damage(err)
	}
	return nil
}

func (s *inflated) damage(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("damaged: its length is not what the zip says")
	}
	return fmt.Errorf("damaged: %w", err)
}

func (s *inflated) restart() error {
	s.closeStream()
	r, err := s.member.Open()
	if err != nil {
		return err
	}
	s.r, s.next = r, 0
	_, _, err = readHeader(r)
	return err
}

func (s *inflated) closeStream() {
	if s.r != nil {
		s.r.Close()
		s.r = nil
	}
}
