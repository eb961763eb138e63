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
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/frames"
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
					checkFrames(t, fmt.Sprintf("%s, shape %v, Fortran %v, %s", axes, shape, fortran, how), Files{Path: path, Form: Form{Axes: axes}}, length)
				}
			}
		}
	}
}

// deflated is an npz file of one array.
func deflated(t *testing.T, array []byte) []byte {
	t.Helper()
	return npzBytes(t, map[string][]byte{"a": array})
}

// npzBytes is an npz file of npy files by name.
func npzBytes(t *testing.T, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, array := range arrays {
		w, err := z.Create(name + ".npy")
		if err == nil {
			_, err = w.Write(array)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestForms: frames are the same from one array, an array a field, files of each frame, and
// files of each frame and field.
func TestForms(t *testing.T) {
	length := map[rune]int{'F': 3, 'H': 2, 'W': 3, 'C': 2}
	_, values := laidOut(Axes, length, false)
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// pick returns the values of a frame and a field; -1 is all
	pick := func(frame, field int) (picked []float32) {
		for i, v := range values {
			if (frame < 0 || i/12 == frame) && (field < 0 || i%2 == field) {
				picked = append(picked, v)
			}
		}
		return picked
	}
	names := []string{"a", "b"}
	byName := npzBytes(t, map[string][]byte{
		"b": npyBytes([]int{3, 2, 3}, false, pick(-1, 1)), "a": npyBytes([]int{3, 2, 3, 1}, false, pick(-1, 0)), "time": npyBytes([]int{3}, false, []float32{0, 1, 2}),
	})
	whole, fields, each := map[int]Files{}, map[int]Files{}, map[int]Files{}
	for i := range 3 {
		whole[i] = Files{Path: write(fmt.Sprintf("w%d", i), npyBytes([]int{2, 3, 2}, false, pick(i, -1)))}
		var paths []string
		members := map[string][]byte{}
		for c := range 2 {
			members[names[c]] = npyBytes([]int{2, 3}, false, pick(i, c))
			paths = append(paths, write(fmt.Sprintf("f%d%d", i, c), members[names[c]]))
		}
		fields[i] = Files{Fields: paths}
		each[i] = Files{Path: write(fmt.Sprintf("e%d", i), npzBytes(t, members))}
	}
	form := Form{Names: names}
	for what, f := range map[string]Files{
		"an array a field":             {Path: write("n", byName), Form: form},
		"a file a frame":               {Snapshots: whole, Form: form},
		"a file a frame and field":     {Snapshots: fields, Form: form},
		"a file a frame, by field":     {Snapshots: each, Form: form},
		"a file a field":               {Fields: []string{write("0", npyBytes([]int{3, 2, 3}, false, pick(-1, 0))), write("1", npyBytes([]int{3, 2, 3}, false, pick(-1, 1)))}, Form: form},
		"one of the arrays in the npz": {Path: write("o", npzBytes(t, map[string][]byte{"all": npyBytes([]int{3, 2, 3, 2}, false, values), "x": npyBytes([]int{1}, false, []float32{0})})), Form: Form{Array: "all", Names: names}},
	} {
		checkFrames(t, what, f, length)
	}
	for want, f := range map[string]Files{
		"no array for the fields [c]: it has [":                  {Path: filepath.Join(dir, "n"), Form: Form{Names: []string{"a", "c"}}},
		"want one array, one for each field, or the name of on":  {Path: filepath.Join(dir, "n"), Form: Form{Names: []string{"c"}}},
		"w0: shape [2 3 2], want (frames, H, W, channels)":       {Path: whole[0].Path},
		"n: a.npy: shape [3 2 3 1], want (H, W), one field, one": {Snapshots: map[int]Files{0: {Path: filepath.Join(dir, "n")}}, Form: form},
		"0: grid 2 x 3 and 2 channels in 2 arrays, but ":         {Snapshots: map[int]Files{0: whole[0], 1: each[0]}, Form: form},
	} {
		if a, err := f.Open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", a, err, want)
		}
	}
}

// TestSnapshotReplaced: a frame's file that is replaced while the others are read ends the
// reading.
func TestSnapshotReplaced(t *testing.T) {
	dir := t.TempDir()
	snapshots := map[int]Files{}
	for i := range 3 {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, npyBytes([]int{1, 2, 1}, false, []float32{0, 1}), 0o644); err != nil {
			t.Fatal(err)
		}
		snapshots[10*i] = Files{Path: path}
	}
	a, err := Files{Snapshots: snapshots}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if got := a.Numbers(); !slices.Equal(got, []int{0, 10, 20}) {
		t.Errorf("frames %v", got)
	}
	if err := os.Chtimes(snapshots[10].Path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	for number, want := range map[int]string{0: "", 10: "it was replaced or changed", 20: ""} {
		frame, err := a.Frame(memory.DefaultAllocator, number)
		if err == nil {
			frame.Release()
		}
		if fmt.Sprint(err) != "<nil>" && want == "" || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("frame %d: %v, want %q", number, err, want)
		}
	}
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
	for _, f := range a.stored() {
		f.(*array).most = 2 * n
	}
	for _, i := range append([]int{a.F - 1}, append(Numbers(a.F), 0)...) {
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
