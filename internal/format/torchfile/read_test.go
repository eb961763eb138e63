package torchfile

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// openBytes opens a checkpoint of those bytes.
func openBytes(t testing.TB, data []byte) (*File, error) {
	path := filepath.Join(t.TempDir(), "c.pt")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return Open(path)
}

func TestRoundTrip(t *testing.T) {
	f, err := openBytes(t, write(t, sample()))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := f.Root.Get("state").(*Map).Get("a.weight").(*Stored)
	values, err := f.Floats(w)
	if got := fmt.Sprint(w.Shape, " ", w.DType, " ", values, err); got != "[2 3] float32 [1 2 3 4 5 6] <nil>" {
		t.Errorf("a.weight is %s", got)
	}
	for key, want := range map[string]string{"step": "70000", "big": "1099511627776", "lr": "0.001", "yes": "true", "no": "false", "none": "<nil>"} {
		if got := fmt.Sprint(f.Root.Get(key)); got != want {
			t.Errorf("%s is %s, want %s", key, got, want)
		}
	}
	if got := fmt.Sprint(f.Root.Get("names").(*Sequence).Items); got != "[velx Bx]" {
		t.Errorf("names are %s", got)
	}
}

// zipOf is a zip of stored records, or a compressed one.
func zipOf(t testing.TB, method uint16, records map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, data := range records {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tensorPickle is a dict with one tensor of that shape, stride and offset in a storage of n floats.
func tensorPickle(shape, stride string, offset, n byte) string {
	return "\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK" +
		string([]byte{n}) + "tQK" + string([]byte{offset}) + shape + stride + "\x89ccollections\nOrderedDict\n)RtRs."
}

// TestRefused: damaged, foreign and malicious files.
func TestRefused(t *testing.T) {
	good := write(t, sample())
	flipped := bytes.Clone(good)
	flipped[bytes.Index(flipped, []byte("velx"))] ^= 1
	pickle := func(s string) []byte {
		return zipOf(t, zip.Store, map[string]string{"c/data.pkl": s, "c/data/0": strings.Repeat("x", 16)})
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":        {nil, "not a PyTorch checkpoint (a zip file"},
		"text":         {[]byte("weights"), "not a PyTorch checkpoint (a zip file"},
		"truncated":    {good[:len(good)-100], "not a PyTorch checkpoint"},
		"foreign zip":  {zipOf(t, zip.Store, map[string]string{"a.txt": "hello"}), "not a PyTorch checkpoint: it has no data.pkl"},
		"bomb":         {zipOf(t, zip.Deflate, map[string]string{"c/data.pkl": strings.Repeat("(", 1<<24)}), "record data.pkl is compressed"},
		"cut in half":  {good[:len(good)/2], "not a PyTorch checkpoint"},
		"compressed":   {zipOf(t, zip.Deflate, map[string]string{"c/data.pkl": "}."}), "record data.pkl is compressed"},
		"flipped byte": {flipped, "checksum error"},
		"big-endian":   {zipOf(t, zip.Store, map[string]string{"c/data.pkl": "}.", "c/byteorder": "big"}), `byte order "big": want little`},
		"os.system":    {pickle("\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R."), `its value is an object of "os.system": want a dict`},
		"by stack":     {pickle("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."), `an object of "os.system": want a dict`},
		"eval":         {pickle("c__builtin__\neval\n(X\x01\x00\x00\x001tR."), `an object of "__builtin__.eval": want a dict`},
		"builtins":     {pickle("cbuiltins\neval\nX\x01\x00\x00\x001\x85R."), `an object of "builtins.eval": want a dict`},
		"obj opcode":   {pickle("(ccollections\nOrderedDict\no."), "opcode 0x6f is in no checkpoint"},
		"old format":   {[]byte(legacyStart + "\x80\x02M\xe9\x03."), "in PyTorch's old format, without zip: convert it in Python by torch.save("},
		"extension":    {pickle("\x82\x01."), "opcode 0x82 is in no checkpoint"},
		"calls a dict": {pickle("})R."), "is not called in checkpoints"},
		"inst opcode":  {pickle("(ios\nsystem\n."), "opcode 0x69 is in no checkpoint"},
		"not a dict":   {pickle("]."), "want a dict"},
		"cut pickle":   {pickle("}X\xff\xff\xff\xff"), "the pickle ends too early"},
		"huge text":    {pickle("}\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"), "the pickle ends too early"},
		"huge number":  {pickle("}\x8b\xff\xff\xff\x7f"), "the pickle ends too early"},
		"long number":  {pickle("\x8a\x09123456789."), "a whole number of 9 bytes"},
		"huge shape":   {pickle(tensorPickle("(\x8a\x05\x00\x00\x00\x00\x7f\x8a\x05\x00\x00\x00\x00\x7ft", "(K\x01K\x01t", 0, 4)), "tensor of shape [545460846592 545460846592]"},
		"no stop":      {pickle("}"), "the pickle ends too early"},
		"empty stack":  {pickle("."), "the stack is empty"},
		"no mark":      {pickle("}u."), "no mark on the stack"},
		"memo":         {pickle("}h\x07."), "nothing was remembered as 7"},
		"too large":    {pickle(tensorPickle("(K\x02K\x03t", "(K\x03K\x01t", 0, 4)), "tensor of shape [2 3], stride [3 1], offset 0 in a storage of 4"},
		"beyond":       {pickle(tensorPickle("(K\x02t", "(K\x01t", 3, 4)), "offset 3 in a storage of 4"},
		"expanded":     {pickle(tensorPickle("(K\x09t", "(K\x00t", 0, 4)), "in a storage of 4"},
		"negative":     {pickle(tensorPickle("(J\xff\xff\xff\xfft", "(K\x01t", 0, 4)), "tensor of shape [-1]"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := openBytes(t, c.data)
			if err == nil {
				f.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "c.pt") {
				t.Errorf("error %v, want the path and %q", err, c.want)
			}
		})
	}
	f, err := openBytes(t, pickle(tensorPickle("(K\x02K\x02t", "(K\x01K\x02t", 0, 5)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Floats(f.Root.Get("x").(*Stored)); err == nil || !strings.Contains(err.Error(), "storage 0 has 16 bytes, want 20") {
		t.Errorf("a storage too short: %v", err)
	}
}

// TestForeign: what a trainer keeps beside the weights is skipped, and named where
// something else is wanted.
func TestForeign(t *testing.T) {
	tensor := tensorPickle("(K\x02t", "(K\x01t", 0, 4)
	tensor = tensor[strings.Index(tensor, "ctorch._utils") : len(tensor)-2]
	text := func(s string) string { return "X" + string([]byte{byte(len(s)), 0, 0, 0}) + s }
	for name, c := range map[string]struct{ pickle, want string }{
		"byte tensor":     {strings.Replace(tensor, "FloatStorage", "ByteStorage", 1), `a tensor in an object of "torch.ByteStorage"`},
		"bool tensor":     {strings.Replace(tensor, "FloatStorage", "BoolStorage", 1), `a tensor in an object of "torch.BoolStorage"`},
		"parameter":       {"ctorch._utils\n_rebuild_parameter\n(" + tensor + "\x88ccollections\nOrderedDict\n)RtR", "a tensor"},
		"size":            {"ctorch\nSize\nK\x02K\x03\x86\x85R", `an object of "torch.Size"`},
		"dtype":           {"ctorch\nfloat32\n", `the class "torch.float32"`},
		"set, protocol 2": {"c__builtin__\nset\n](K\x01K\x02e\x85R", `an object of "__builtin__.set"`},
		"set, protocol 4": {"\x8f(K\x01K\x02\x90", "a set"},
		"frozenset":       {"(K\x01K\x02\x91", "a set"},
		"bytes":           {"C\x03abc", "bytes"},
		"big number":      {"\x8a\x09123456789", "a whole number of 9 bytes"},
		"an object":       {"cpathlib\nPosixPath\n)\x81}(" + text("a") + "K\x01ub", `an object of "pathlib.PosixPath"`},
		"with keywords":   {"cpathlib\nPosixPath\n)}\x92", `an object of "pathlib.PosixPath"`},
		"defaultdict":     {"ccollections\ndefaultdict\n)R(" + text("a") + "K\x01u", `an object of "collections.defaultdict"`},
	} {
		f, err := openBytes(t, zipOf(t, zip.Store, map[string]string{"c/data.pkl": "}" + text("x") + c.pickle + "s" + text("step") + "K\x05s.", "c/data/0": strings.Repeat("x", 16)}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := What(f.Root.Get("x")); got != c.want {
			t.Errorf("%s is %s, want %s", name, got, c.want)
		}
		if step := f.Root.Get("step"); step != int64(5) {
			t.Errorf("%s: the step beside it is %v", name, step)
		}
		f.Close()
	}
}

// TestCyclesAndNesting: a dict that holds itself, and one nested a million deep,
// are read in memory of the file's size and without a deep stack.
func TestCyclesAndNesting(t *testing.T) {
	cyclic := "}q\x00X\x01\x00\x00\x00xh\x00s."
	deep := "}X\x01\x00\x00\x00x" + strings.Repeat("(", 1<<20) + strings.Repeat("t", 1<<20) + "s."
	for name, c := range map[string]string{"cyclic": cyclic, "deep": deep} {
		f, err := openBytes(t, zipOf(t, zip.Store, map[string]string{"c/data.pkl": c}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if x := f.Root.Get("x"); x == nil {
			t.Errorf("%s: nothing is under x", name)
		}
		f.Close()
	}
	selfCall := "}q\x00(h\x00tR."
	f, err := openBytes(t, zipOf(t, zip.Store, map[string]string{"c/data.pkl": selfCall}))
	if err == nil {
		f.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "is not called in checkpoints") {
		t.Errorf("a dict called with itself: error %v", err)
	}
}

// TestOverflow: a storage of 2^62+4 floats has, to 64 bits, the 16 bytes of the
// record; a tensor of 2^40 in it must not be believed.
func TestOverflow(t *testing.T) {
	lying := strings.Replace(tensorPickle("(\x8a\x06\x00\x00\x00\x00\x00\x01t", "(K\x01t", 0, 7), "K\x07tQ", "\x8a\x08\x04\x00\x00\x00\x00\x00\x00\x40tQ", 1)
	f, err := openBytes(t, zipOf(t, zip.Store, map[string]string{"c/data.pkl": lying, "c/data/0": strings.Repeat("x", 16)}))
	if err == nil {
		f.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "tensor of shape [1099511627776]") {
		t.Errorf("error %v, want the shape", err)
	}
	far := &Stored{DType: "float32", Shape: []int64{1<<24 + 1}, stride: []int64{1 << 40}, numel: 1 << 25} // its last element is at 2^64
	if err := far.check(); err == nil {
		t.Error("a stride of 2^40 is let through")
	}
}

// TestNestedMessages: forty tuples, each twice the one before, as a persistent
// id, a callable and a shape: an error that printed them would never end.
func TestNestedMessages(t *testing.T) {
	bomb := "(tq\x00"
	for i := range 40 {
		bomb += fmt.Sprintf("h%ch%c\x86q%c", i, i, i+1)
	}
	for name, c := range map[string]string{
		"persistent id": bomb + "Q.", "callable": bomb + ")R.", "shape": tensorPickle("("+bomb+"t", "(K\x01t", 0, 4),
	} {
		f, err := openBytes(t, zipOf(t, zip.Store, map[string]string{"c/data.pkl": c}))
		if err == nil {
			f.Close()
			t.Errorf("%s: no error", name)
		} else if len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d characters", name, len(err.Error()))
		}
	}
}

// TestReadsTorch: what PyTorch writes, where FMSR_PYTHON names a Python that has
// it: views, shared storages and other types.
func TestReadsTorch(t *testing.T) {
	python := os.Getenv("FMSR_PYTHON")
	if python == "" {
		t.Skip("FMSR_PYTHON does not name a Python with PyTorch")
	}
	path := filepath.Join(t.TempDir(), "t.pt")
	script := `import sys, torch
from collections import OrderedDict
a = torch.arange(12.).reshape(3, 4)
net = torch.nn.Conv1d(2, 2, 1)
torch.save({"t": a.t(), "row": a[1], "same": a, "bf16": a[0].bfloat16(), "half": a[0].half() / 4, "int": torch.tensor([-3, 2**40]),
            "double": a[2].double(), "scalar": torch.tensor(2.5), "param": torch.nn.Parameter(a[1]), "rng": torch.get_rng_state(), "seen": {1, 2}, "size": a.shape,
            "mask": a > 2, "big": 2**70, "complex": torch.zeros(2, dtype=torch.complex64), "device": torch.device("cpu"), "dtype": a.dtype, "state": net.state_dict(), "names": ["Bx"], "n": -5}, sys.argv[1])`
	if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for key, want := range map[string]string{
		"t": "[4 3] [0 4 8 1 5 9 2 6 10 3 7 11]", "row": "[4] [4 5 6 7]", "bf16": "[4] [0 1 2 3]", "half": "[4] [0 0.25 0.5 0.75]",
		"int": "[2] [-3 1.0995116e+12]", "double": "[4] [8 9 10 11]", "param": "[4] [4 5 6 7]", "scalar": "[] [2.5]",
	} {
		x := f.Root.Get(key).(*Stored)
		values, err := f.Floats(x)
		if got := fmt.Sprint(x.Shape, " ", values); err != nil || got != want {
			t.Errorf("%s is %s, %v, want %s", key, got, err, want)
		}
	}
	if w, ok := f.Root.Get("state").(*Map).Get("weight").(*Stored); !ok || fmt.Sprint(w.Shape) != "[2 2 1]" || f.Root.Get("n") != int64(-5) {
		t.Errorf("state dict %v, n %v", f.Root.Get("state"), f.Root.Get("n"))
	}
}

// FuzzOpen: any bytes give a dict or an error, and reading its tensors too.
func FuzzOpen(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(fuzzlimit.UnsummedZip(bytes.Clone(b.Bytes())))
	f.Add(zipOf(f, zip.Store, map[string]string{"c/data.pkl": tensorPickle("(K\x02K\x02t", "(K\x01K\x02t", 0, 4), "c/data/0": strings.Repeat("x", 16)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { openAndRead(t, data) })
	})
}

// openAndRead reads each tensor in the dict, or in a dict in it. An error is as good as
// values.
func openAndRead(t *testing.T, data []byte) {
	f, err := openBytes(t, data)
	if err != nil {
		return
	}
	defer f.Close()
	read := map[*Stored]bool{} // one may lie under thousands of keys
	for _, v := range f.Root.Values {
		inner, ok := v.(*Map)
		if !ok {
			inner = &Map{Values: []any{v}}
		}
		for _, v := range inner.Values {
			if x, ok := v.(*Stored); ok && !read[x] && f.Check(x) == nil {
				read[x] = true
				_, _ = f.Floats(x)
			}
		}
	}
}

// FuzzUnpickle: any pickle.
func FuzzUnpickle(f *testing.F) {
	f.Add([]byte(tensorPickle("(K\x02K\x02t", "(K\x01K\x02t", 0, 4)))
	f.Add([]byte("\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01a\x94K\x01u."))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { _, _ = unpickle(data) })
	})
}
