package stages

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/seal"
	"fmsr.example/fmsr/pipeline"
)

// exported writes a set of 3 seeds of 4 golden frames, x_lo being x_hi doubled;
// seeds 0 and 2 train, 1 validates.
func exported(t *testing.T, env *pipeline.Env) string {
	t.Helper()
	dir := t.TempDir()
	m := exportset.Manifest{Format: "arrow", ChannelNames: []string{"a", "b"}, H: 8, W: 8, Factor: 2, Boundary: "periodic"}
	for seed, split := range []frames.Split{frames.Train, frames.Val, frames.Train} {
		f := goldenFrames(env, 4, 2, 8)
		lo := frames.NewBuffer(env.Mem, 4*2*64)
		for i, v := range frames.Floats(f.Hi) {
			frames.Floats(lo)[i] = 2 * v
		}
		for i := range f.Origins {
			f.Origins[i] = frames.Origin{Seed: seed, Frame: i, Split: split}
		}
		name := fmt.Sprintf("seed_%04d.arrow", seed)
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := arrowtensor.NewWriter("arrow", file, arrowtensor.Schema(f.Channels, 8, 8, "x_hi", "x_lo"))
		if err == nil {
			err = errors.Join(w.Write(f.Origins, f.Hi, lo), w.Close(), file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		var sums []uint32
		for i := range 4 {
			sums = append(sums, seal.Sum(f.Hi.Bytes()[512*i:][:512]), seal.Sum(lo.Bytes()[512*i:][:512]))
		}
		lo.Release()
		f.Release()
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		m.Files = append(m.Files, exportset.File{
			File: parts.File{Path: name, Rows: 4, Bytes: int64(len(data)), SHA256: fmt.Sprintf("%x", sha256.Sum256(data))},
			Seed: seed, Split: split.String(), Frames: []int{0, 1, 2, 3}, Sums: sums,
		})
	}
	if err := m.WriteFile(filepath.Join(dir, exportset.ManifestName)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// emittedSet is the first n frames that arrow_load sends, as seed.frame, their
// values checked.
func emittedSet(t *testing.T, env *pipeline.Env, l *arrowLoad, pass pipeline.Pass, n int) string {
	t.Helper()
	golden := goldenFrames(env, 4, 2, 8)
	defer golden.Release()
	return gathered(t, l, pass, n, func(f *frames.Frames) string {
		o := f.Origins[0]
		for i, v := range frames.Floats(f.Hi) {
			if want := frames.Floats(golden.Hi)[128*o.Frame+i]; v != want || frames.Floats(f.Lo)[i] != 2*want {
				t.Fatalf("%v: value %d is %g and %g, want %g", o, i, v, frames.Floats(f.Lo)[i], want)
			}
		}
		return fmt.Sprintf("%d.%d%s", o.Seed, o.Frame, o.Split.String()[:1])
	})
}

func TestArrowLoad(t *testing.T) {
	env := testEnv(t)
	l := &arrowLoad{ArrowLoad: ArrowLoad{Input: exported(t, env)}}
	meta, err := l.Open(context.Background(), env, pipeline.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(meta.Channels, meta.H, meta.W, meta.Factor, meta.Periodic, meta.Frames, meta.Seeds) !=
		"[a b] 8 8 2 true map[train:8 val:4] [{0 4 train false} {1 4 val false} {2 4 train false}]" || meta.Identity == "" || meta.Stats != nil {
		t.Errorf("meta %+v", meta)
	}
	once := emittedSet(t, env, l, pipeline.Once, 100)
	if once != "0.0t 0.1t 0.2t 0.3t 1.0v 1.1v 1.2v 1.3v 2.0t 2.1t 2.2t 2.3t" {
		t.Errorf("once: %s", once)
	}
	endless := strings.Fields(emittedSet(t, env, l, pipeline.Endless, 4+8+8))
	if strings.Join(endless[:4], " ") != "1.0v 1.1v 1.2v 1.3v" || strings.Join(endless[4:12], " ") == strings.Join(endless[12:], " ") {
		t.Errorf("endless: %v: want the validation frames, then epochs in orders of their own", endless)
	}
	seen := map[string]int{}
	for _, f := range endless[4:] {
		seen[f]++
	}
	if len(seen) != 8 {
		t.Errorf("two epochs have %v, want each training frame twice", seen)
	}
	l.Pick(func(p frames.Part) bool { return p.Seed == 2 })
	if got := emittedSet(t, env, l, pipeline.Once, 100); got != "2.0t 2.1t 2.2t 2.3t" {
		t.Errorf("seed 2 alone: %s", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	env.Run.Overfit = true
	over := &arrowLoad{ArrowLoad: ArrowLoad{Input: l.Input, Splits: []string{"val"}}}
	if _, err := over.Open(context.Background(), env, pipeline.Meta{}); err != nil {
		t.Fatal(err)
	}
	defer over.Close()
	if got := emittedSet(t, env, over, pipeline.Once, 100); got != "1.0v 1.1v 1.2v 1.3v 1.0t 1.1t 1.2t 1.3t" {
		t.Errorf("overfit: %s", got)
	}
}

// edit changes the text of a set's manifest, and seals it again.
func edit(t *testing.T, dir, old, text string) {
	t.Helper()
	path := filepath.Join(dir, exportset.ManifestName)
	m, err := exportset.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	edited := strings.Replace(string(encode(t, m)), old, text, 1)
	if err := os.WriteFile(path, seal.Object([]byte(edited)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestArrowLoadLies: a manifest that does not fit its files is one clear error.
func TestArrowLoadLies(t *testing.T) {
	env := testEnv(t)
	for _, c := range []struct{ old, new, want string }{
		{`"rows":4`, `"rows":5`, "file seed_0000.arrow: 4 frames in 5 rows"},
		{`["a","b"]`, `["a","c"]`, "seed_0000.arrow: [a b] at 8 x 8, and the manifest says [a c] at 8 x 8"},
		{`"w":8`, `"w":4`, "and the manifest says [a b] at 8 x 4"},
		{`"factor":2,`, ``, "file seed_0000.arrow: 8 checksums of 4 rows"},
		{`"seed":0`, `"seed":5`, "row 0 is of seed 0, train, and the manifest says seed 5, train"},
		{`"seed":0`, `"seed":2`, "seed 2 is listed twice"},
		{`"path":"seed_0000.arrow"`, `"path":"seed_0009.arrow"`, "seed_0009.arrow: no such file"},
		{`"frames":[0,1,`, `"frames":[1,0,`, "seed_0000.arrow: row 0 is frame 0, and the manifest says 1"},
		{`"crc32c":[`, `"crc32c":[1,`, "file seed_0000.arrow: 9 checksums of 4 rows"},
		{`"sha256":"`, `"sha256":"00`, "seed_0000.arrow: SHA-256"},
	} {
		dir := exported(t, env)
		edit(t, dir, c.old, c.new)
		l := &arrowLoad{ArrowLoad: ArrowLoad{Input: dir, Verify: strings.Contains(c.old, "sha256")}}
		if _, err := l.Open(context.Background(), env, pipeline.Meta{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.new, err, c.want)
		}
	}
}

// TestArrowLoadChecksums: an edited manifest and a changed value are found, with and
// without checksums of the values.
func TestArrowLoadChecksums(t *testing.T) {
	env := testEnv(t)
	emit := func(dir string) error {
		l := &arrowLoad{ArrowLoad: ArrowLoad{Input: dir}}
		if _, err := l.Open(context.Background(), env, pipeline.Meta{}); err != nil {
			return err
		}
		defer l.Close()
		return l.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error { e.Release(); return nil })
	}
	dir := exported(t, env)
	path := filepath.Join(dir, exportset.ManifestName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(`"periodic"`), []byte(`"clamp"`), 1), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := emit(dir); err == nil || !strings.HasPrefix(err.Error(), path+": damaged, edited") {
		t.Errorf("an edited manifest: %v", err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "seed_0002.arrow")
	if err := emit(dir); err != nil {
		t.Fatal(err)
	}
	golden := goldenFrames(env, 4, 2, 8)
	defer golden.Release()
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(whole, golden.Hi.Bytes()[512:1024])
	if err := flip(file, int64(at+20)); err != nil {
		t.Fatal(err)
	}
	if err := emit(dir); err == nil || !strings.Contains(err.Error(), "seed 2, frame 1: "+file+": row 1: x_hi has the checksum") {
		t.Errorf("a changed value: %v", err)
	}
	edit(t, dir, `"crc32c":`, `"old":`) // of the first file
	if err := emit(dir); err == nil || !strings.Contains(err.Error(), "seed 2, frame 1: ") {
		t.Errorf("a changed value where another file has no checksums: %v", err)
	}
	for range 2 {
		edit(t, dir, `"crc32c":`, `"old":`)
	}
	if err := emit(dir); err == nil || !strings.Contains(err.Error(), file+": SHA-256") {
		t.Errorf("a changed value in a set without checksums of values: %v", err)
	}
	if err := flip(file, int64(at+20)); err != nil {
		t.Fatal(err)
	}
	if err := emit(dir); err != nil {
		t.Errorf("a set without checksums of values: %v", err)
	}
	if err := os.Truncate(file, 100); err != nil {
		t.Fatal(err)
	}
	if err := emit(dir); err == nil || !strings.Contains(err.Error(), file+": 100 bytes, want ") {
		t.Errorf("a truncated file: %v", err)
	}
}

// TestArrowLoadTruncatedInUse: a file that is truncated while it is replayed is an error
// that names it.
func TestArrowLoadTruncatedInUse(t *testing.T) {
	env := testEnv(t)
	dir := exported(t, env)
	l := &arrowLoad{ArrowLoad: ArrowLoad{Input: dir}}
	meta, err := l.Open(context.Background(), env, pipeline.Meta{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(meta.Digests) != 2 || meta.Digests[frames.Train] == meta.Digests[frames.Val] {
		t.Errorf("digests %v", meta.Digests)
	}
	file := filepath.Join(dir, "seed_0000.arrow")
	if err := os.Truncate(file, 1000); err != nil {
		t.Fatal(err)
	}
	err = l.Emit(context.Background(), pipeline.Endless, func(e pipeline.Element) error { e.Release(); return nil })
	if err == nil || !strings.Contains(err.Error(), file+": truncated while it is read") {
		t.Errorf("%v", err)
	}
}
