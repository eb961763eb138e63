package dataset

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
)

// npyBytes is an npy file of values in their order there.
func npyBytes(shape []int, fortran bool, values []float32) []byte {
	dims, order := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ","), "[]"), "False"
	if fortran {
		order = "True"
	}
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': %s, 'shape': (%s,)}", order, dims)
	data := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	data = append(data, header...)
	for _, v := range values {
		data, _ = binary.Append(data, binary.LittleEndian, v)
	}
	return data
}

// permutations of letters.
func permutations(letters string) (all []string) {
	if letters == "" {
		return []string{""}
	}
	for i, first := range letters {
		for _, rest := range permutations(letters[:i] + letters[i+1:]) {
			all = append(all, string(first)+rest)
		}
	}
	return all
}

// laidOut returns the shape and the values of an array with those axes. The value at frame
// f, (y, x) and channel c is f y x c as digits.
func laidOut(axes string, length map[rune]int, fortran bool) (shape []int, values []float32) {
	digit := map[rune]int{'F': 1000, 'H': 100, 'W': 10, 'C': 1}
	order := []rune(axes)
	for _, axis := range order {
		shape = append(shape, length[axis])
	}
	if fortran {
		slices.Reverse(order)
	}
	values = []float32{0}
	for _, axis := range order { // from the slowest
		var next []float32
		for _, v := range values {
			for i := range length[axis] {
				next = append(next, v+float32(i*digit[axis]))
			}
		}
		values = next
	}
	return shape, values
}

// TestAxes: an array gives the same frames whatever the order of its axes and of its
// values, stored or compressed.
func TestAxes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, length := range []map[rune]int{{'F': 3, 'H': 2, 'W': 5, 'C': 4}, {'F': 1, 'H': 2, 'W': 3, 'C': 2}, {'F': 3, 'H': 2, 'W': 3, 'C': 1}, {'F': 2, 'H': 1, 'W': 1, 'C': 2}} {
		for _, axes := range permutations(Axes) {
			for _, fortran := range []bool{false, true} {
				shape, values := laidOut(axes, length, fortran)
				data := npyBytes(shape, fortran, values)
				for how, content := range map[string][]byte{"npy": data, "compressed": deflated(t, data)} {
					if err := os.WriteFile(path, content, 0o644); err != nil {
						t.Fatal(err)
					}
					checkFrames(t, fmt.Sprintf("%s, shape %v, Fortran %v, %s", axes, shape, fortran, how), Files{Path: path, Axes: axes}, length)
				}
			}
		}
	}
}

// deflated is an npz file of one array.
func deflated(t *testing.T, array []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("a.npy")
	if err == nil {
		_, err = w.Write(array)
	}
	if err = z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkFrames reads all frames, and the first one again.
func checkFrames(t *testing.T, what string, f Files, length map[rune]int) {
	t.Helper()
	a, err := f.Open()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	defer a.Close()
	if a.F != length['F'] || a.H != length['H'] || a.W != length['W'] || a.C != length['C'] {
		t.Errorf("%s: %d frames, %d x %d, %d channels", what, a.F, a.H, a.W, a.C)
		return
	}
	_, want := laidOut(Axes, length, false)
	n := len(want) / a.F
	a.files[0].most = 2 * n
	for _, i := range append([]int{a.F - 1}, append(all(a.F), 0)...) {
		frame, err := a.Frame(memory.DefaultAllocator, i)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		if got := frames.Floats(frame); !slices.Equal(got, want[i*n:][:n]) {
			t.Errorf("%s: frame %d is %v, want %v", what, i, got, want[i*n:][:n])
		}
		frame.Release()
	}
}

func all(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i)
	}
	return numbers
}

// TestMissingAxes: an array of one field, or of one frame, may lack that axis.
func TestMissingAxes(t *testing.T) {
	for _, c := range []struct {
		axes, optional string
		shape          []int
		want           string
	}{
		{"FHWC", "", []int{2, 3, 4, 5}, "FHWC"},
		{"FHWC", "C", []int{2, 3, 4}, "FHW"},
		{"FHWC", "C", []int{2, 3, 4, 1}, "FHWC"},
		{"CFHW", "C", []int{1, 2, 3, 4}, "CFHW"},
		{"FCHW", "F", []int{5, 3, 4}, "CHW"},
		{"FHWC", "FC", []int{3, 4}, "HW"},
		{"FHWC", "FC", []int{1, 3, 4}, "FHW"},
		{"FHWC", "FC", []int{3, 4, 1}, "HWC"},
		{"FHWC", "FC", []int{1, 3, 4, 1}, "FHWC"},
		{"FHWC", "FC", []int{2, 3, 4}, ""},
		{"FHWC", "C", []int{2, 3, 4, 5}, ""},
		{"FHWC", "", []int{2, 3, 4}, ""},
	} {
		if got, ok := present(c.shape, c.axes, c.optional); got != c.want || ok != (c.want != "") {
			t.Errorf("%v of %s, optional %s: %q, want %q", c.shape, c.axes, c.optional, got, c.want)
		}
	}
	for axes, ok := range map[string]bool{"FHWC": true, "CWHF": true, "": false, "FHW": false, "FHWW": false, "fhwc": false, "FHWCC": false} {
		if err := CheckAxes(axes); (err == nil) != ok {
			t.Errorf("%q: %v", axes, err)
		}
	}
}
