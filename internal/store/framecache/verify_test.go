package framecache

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/seal"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// whole makes a cache of two paired frames, as arrow_cache does.
func whole(t testing.TB, dir string) Contents {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	out := &Summed{Writer: &file}
	c := Contents{Format: Format, Channels: []string{"a", "b"}, H: 2, W: 4}
	w, err := arrowtensor.NewWriter("arrow", out, arrowtensor.Schema(c.Channels, c.H, c.W, "x", "x_lo"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		hi, lo := memory.NewBufferBytes(bytes.Repeat([]byte{byte(i), 2, 3, 64}, 16)), memory.NewBufferBytes(bytes.Repeat([]byte{byte(i), 5, 6, 65}, 16))
		if err := w.Write([]frames.Origin{{Seed: 7, Frame: i, Split: frames.Val}}, hi, lo); err != nil {
			t.Fatal(err)
		}
		at := w.Offsets()
		c.Frames = append(c.Frames, Entry{Seed: 7, Frame: i, Split: "val", Tensor: Tensor{at[0], seal.Sum(hi.Bytes())}, Lo: &Tensor{at[1], seal.Sum(lo.Bytes())}})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c.Bytes, c.CRC = w.Size(), out.Sum32()
	index, err := c.Encode()
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, Frames), file.Bytes(), 0o644), os.WriteFile(filepath.Join(dir, Index), index, 0o644)); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestVerify: a whole cache is, and no byte of either file can change, Arrow's
// padding included.
func TestVerify(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, named("a"))
	made := whole(t, dir)
	if c, err := Verify(context.Background(), dir); err != nil || len(c.Frames) != 2 {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, name := range []string{Frames, Index} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for i := range good {
			if _, err := f.WriteAt([]byte{good[i] ^ 1<<(i%8)}, int64(i)); err != nil {
				t.Fatal(err)
			}
			want := name
			if name == Frames && int64(i) == made.Frames[1].Lo.Offset {
				want += ": seed 7, frame 1"
			}
			if _, err := Verify(context.Background(), dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: bit %d of byte %d flipped: %v", name, i%8, i, err)
			}
			if _, err := f.WriteAt(good[i:i+1], int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range [][]byte{good[:len(good)-1], append(bytes.Clone(good), 0), nil} {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Verify(context.Background(), dir); err == nil {
				t.Errorf("%s of %d bytes for %d passes", name, len(text), len(good))
			}
		}
		if err := os.WriteFile(path, good, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyAll: every cache of a folder, and not what is half-made.
func TestVerifyAll(t *testing.T) {
	ctx, root := context.Background(), t.TempDir()
	whole(t, filepath.Join(root, named("a")))
	whole(t, filepath.Join(root, named("b")))
	if err := os.Mkdir(filepath.Join(root, Making+"1"), 0o755); err != nil {
		t.Fatal(err)
	}
	if all, err := VerifyAll(ctx, root); err != nil || len(all) != 2 {
		t.Errorf("%d caches, %v", len(all), err)
	}
	stopped, stop := context.WithCancelCause(ctx)
	stop(errors.New("enough"))
	if _, err := VerifyAll(stopped, root); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("stopped: %v", err)
	}
	if err := os.Remove(filepath.Join(root, named("b"), Index)); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyAll(ctx, root); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), named("b")) {
		t.Errorf("no index: %v", err)
	}
}

// TestIndexRefused: what a sealed index must not say.
func TestIndexRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Contents){
		"format 1, want 2":                        func(c *Contents) { c.Format = 1 },
		"no frames":                               func(c *Contents) { c.Frames = nil },
		"0 channels at 2 x 4":                     func(c *Contents) { c.Channels = nil },
		"2 channels at 2 x -4":                    func(c *Contents) { c.W = -4 },
		"at 1073741824 x 1073741824":              func(c *Contents) { c.H, c.W = 1<<30, 1<<30 },
		`frame 0: split "dev"`:                    func(c *Contents) { c.Frames[0].Split = "dev" },
		"frame 1: split \"val\", x_lo":            func(c *Contents) { c.Frames[1].Lo = nil },
		"frame 0: byte -4":                        func(c *Contents) { c.Frames[0].Offset = -4 },
		"frame 1: byte 9223372036854775804 after": func(c *Contents) { c.Frames[1].Offset = 1<<63 - 4 },
		"frame 1: byte 0 after":                   func(c *Contents) { c.Frames[1].Offset = 0 },
	} {
		dir := filepath.Join(t.TempDir(), named("a"))
		c := whole(t, dir)
		spoil(&c)
		text, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if err := new(Contents).parse(bytes.NewReader(text)); err == nil || !strings.Contains(err.Error(), Index+": ") || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// FuzzIndex: whatever the bytes, as they are and with a checksum that fits, an
// error or an index whose tensors lie in the file, in memory of a small multiple
// of the bytes.
func FuzzIndex(f *testing.F) {
	text, err := whole(f, f.TempDir()).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)-len(",\n\"crc32c\": \"00000000\"}\n")])
	f.Add([]byte(`{"format":2,"channels":["a"],"h":1,"w":1,"bytes":4,"frames":[{"split":"train"}]}`))
	f.Add([]byte(`{"format":2,"channels":["a"],"h":9223372036854775807,"w":3,"bytes":-1,"frames":[{},{}]}`))
	f.Add([]byte(`{"frames":` + strings.Repeat("[", 20000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range [][]byte{data, seal.Object(data)} {
			var c Contents
			var err error
			fuzzlimit.Run(t, len(text), func() { err = c.parse(bytes.NewReader(text)) })
			if err != nil {
				continue
			}
			for _, e := range c.Frames {
				for _, x := range e.Tensors() {
					if size := 4 * int64(len(c.Channels)*c.H*c.W); size < 4 || x.Offset < 0 || x.Offset+size > c.Bytes {
						t.Errorf("accepted a tensor of %d bytes at %d of %d", size, x.Offset, c.Bytes)
					}
				}
			}
		}
	})
}
