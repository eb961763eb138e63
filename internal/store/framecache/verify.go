package framecache

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"

	"fmsr.example/fmsr/internal/store/infile"
)

// Verify checks every byte of the two files of a cache, which may be in use. An error
// names the cache and, if its values are wrong, the frame.
func Verify(ctx context.Context, dir string) (Contents, error) {
	lock, c, err := open(dir)
	if err != nil {
		return c, fmt.Errorf("cache %s: %w", dir, err)
	}
	defer lock.Close()
	if err := c.verify(ctx, filepath.Join(dir, Frames)); err != nil {
		return c, fmt.Errorf("cache %s: %s: %w", dir, Frames, err)
	}
	return c, nil
}

func (c *Contents) verify(ctx context.Context, path string) error {
	f, err := infile.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Size != c.Bytes {
		return fmt.Errorf("%d bytes, want %d", f.Size, c.Bytes)
	}
	whole := crc32.New(castagnoli)
	in := io.TeeReader(f, whole)
	at := int64(0)
	for _, e := range c.Frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, t := range e.Tensors() {
			tensor := crc32.New(castagnoli)
			_, skipErr := io.CopyN(io.Discard, in, t.Offset-at)
			_, err := io.CopyN(tensor, in, c.FrameBytes())
			if err := errors.Join(skipErr, err); err != nil {
				return fmt.Errorf("seed %d, frame %d: %w", e.Seed, e.Frame, err)
			}
			if sum := tensor.Sum32(); sum != t.CRC {
				return fmt.Errorf("seed %d, frame %d: checksum %08x, want %08x", e.Seed, e.Frame, sum, t.CRC)
			}
			at = t.Offset + c.FrameBytes()
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if sum := whole.Sum32(); sum != c.CRC {
		return fmt.Errorf("checksum of the bytes around the frames %08x, want %08x", sum, c.CRC)
	}
	return nil
}

// VerifyAll verifies the caches in root, and stops at the first that is not whole. It
// skips caches that are being made, or were left half-made.
func VerifyAll(ctx context.Context, root string) (caches []Contents, err error) {
	all, err := List(root)
	if err != nil {
		return nil, err
	}
	for _, info := range all {
		if !cacheKey.MatchString(info.Key) {
			continue
		}
		c, err := Verify(ctx, filepath.Join(root, info.Key))
		if err != nil {
			return nil, err
		}
		caches = append(caches, c)
	}
	return caches, nil
}
