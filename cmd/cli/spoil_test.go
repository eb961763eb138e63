package cli

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/seal"
	"fmsr.example/fmsr/model"
)

// The specs in a place.
const (
	trainSpec = `version: 1
run: {name: train, overfit: false, threads: 1, checkpoint_every: 1}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 2}
  - train: {model_channels: 4, channel_mult: [1, 1, 1], total_steps: 2, warmup_steps: 0}
  - ema:
  - eval: {log_every: 2, sample_steps: 1}
  - metrics:
  - tensorboard:
  - wandb:
  - images:
  - report:
`
	exportSpec = `version: 1
run: {name: export, overfit: false}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - pool_upsample:
  - export:
`
	againSpec = `version: 1
run: {name: again, overfit: false}
flow:
  - arrow_load:
  - export:
`
)

// place is a folder with every kind of input that fmsr takes:
//
//	data/set/seed_000{0,1,2}/npy/f.npy   (4,8,8,2)
//	train.yaml export.yaml again.yaml
//	set/      export.yaml's output for data/
//	model/    train.yaml's output for data/
//	cache/    train.yaml's caches
//	coarse/x.npy                         (2,8,8,2)
//
// A place is whole until a test spoils it; tests spoil copies of one whole place.
type place struct {
	*testing.T
	dir     string
	whole   string // the whole place that this is a copy of
	program string
	under   []string // the command that fmsr runs under; nil: none
}

// newPlace makes a whole place.
func newPlace(t *testing.T) *place {
	t.Helper()
	dir := t.TempDir()
	p := &place{T: t, dir: dir, whole: dir, program: programLink(t)}
	for name, text := range map[string]string{"train.yaml": trainSpec, "export.yaml": exportSpec, "again.yaml": againSpec} {
		p.write(name, text)
	}
	for seed := range 3 {
		p.array(fmt.Sprintf("data/set/seed_%04d/npy/f.npy", seed), 4, 8, 8, 2)
	}
	p.array("coarse/x.npy", 2, 8, 8, 2)
	for _, args := range []string{"run export.yaml --data-root data --out set", "run train.yaml --data-root data --out model"} {
		if out, err := p.command(args).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", args, err, out)
		}
	}
	return p
}

// copy returns a copy of the place, for t.
func (p *place) copy(t *testing.T) *place {
	t.Helper()
	c := &place{T: t, dir: t.TempDir(), whole: p.dir, program: p.program}
	c.check(os.CopyFS(c.dir, os.DirFS(p.dir)))
	return c
}

func (p *place) check(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

// command returns a command that runs fmsr in the place. WHOLE in args is replaced
// by the whole place, whose data the copied caches belong to.
func (p *place) command(args string) *exec.Cmd {
	words := slices.Concat(p.under, []string{p.program}, strings.Fields(strings.ReplaceAll(args, "WHOLE", p.whole)))
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(p.dir, "cache"), "OMP_WAIT_POLICY=passive")
	return cmd
}

func (p *place) path(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.Helper()
	p.check(os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	p.check(os.WriteFile(p.path(name), []byte(text), 0o644))
}

func (p *place) read(name string) []byte {
	p.Helper()
	data, err := os.ReadFile(p.path(name))
	p.check(err)
	return data
}

// edit replaces the first old in a file by new.
func (p *place) edit(name, old, new string) {
	p.Helper()
	data := p.read(name)
	if !bytes.Contains(data, []byte(old)) {
		p.Fatalf("%s holds no %q", name, old)
	}
	p.write(name, string(bytes.Replace(data, []byte(old), []byte(new), 1)))
}

// reseal edits a JSON object that has a checksum, and gives it the checksum of the new text.
func (p *place) reseal(name, old, new string) {
	p.Helper()
	p.edit(name, old, new)
	p.write(name, string(seal.Object(p.read(name))))
}

// cut truncates a file to n bytes, or by -n bytes if n is negative.
func (p *place) cut(name string, n int) {
	p.Helper()
	if n < 0 {
		n += len(p.read(name))
	}
	p.check(os.Truncate(p.path(name), int64(n)))
}

func (p *place) remove(name string) { p.Helper(); p.check(os.RemoveAll(p.path(name))) }

// pipe puts a named pipe in place of a file.
func (p *place) pipe(name string) {
	p.Helper()
	p.remove(name)
	p.check(unix.Mkfifo(p.path(name), 0o644))
}

// array writes an array of the given shape, as the command npy of scripts does.
func (p *place) array(name string, shape ...int) {
	p.Helper()
	p.check(writeArray(p.path(name), shape, func(i int) float32 { return wave(shape, i) }))
}

// header writes an npy file with the given header and 4*8*8*2 zeros.
func (p *place) header(name, dict string) {
	p.Helper()
	head := "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(dict)+1))) + dict + "\n"
	p.write(name, head+strings.Repeat("\x00", 4*4*8*8*2))
}

// value overwrites the i-th value of an array (4,8,8,2) with v.
func (p *place) value(name string, i int, v float32) {
	p.Helper()
	data := p.read(name)
	binary.LittleEndian.PutUint32(data[len(data)-4*4*8*8*2+4*i:], math.Float32bits(v))
	p.write(name, string(data))
}

// records replaces each of a checkpoint's records by change's result; nil removes it.
func (p *place) records(name string, change func(record string, data []byte) []byte) {
	p.Helper()
	in, err := zip.OpenReader(p.path(name))
	p.check(err)
	defer in.Close()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, r := range in.File {
		data, err := fs.ReadFile(in, r.Name)
		p.check(err)
		_, record, _ := strings.Cut(r.Name, "/")
		if data = change(record, data); data == nil {
			continue
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: r.Name, Method: zip.Store})
		p.check(err)
		_, err = to.Write(data)
		p.check(err)
	}
	p.check(w.Close())
	p.write(name, out.String())
}

// tuple and text encode whole numbers and text as pickle does.
func tuple(values ...uint32) string {
	s := "("
	for _, v := range values {
		s += "J" + string(binary.LittleEndian.AppendUint32(nil, v))
	}
	return s + "t"
}

func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

// pickle replaces the first old in a checkpoint's pickle by new.
func (p *place) pickle(name, old, new string) {
	p.Helper()
	done := false
	p.records(name, func(record string, data []byte) []byte {
		if record != "data.pkl" {
			return data
		}
		done = bytes.Contains(data, []byte(old))
		return bytes.Replace(data, []byte(old), []byte(new), 1)
	})
	if !done {
		p.Fatalf("%s: its pickle holds no %q", name, old)
	}
}

// floats overwrites the first value of each storage that holds exactly the values
// holding.
func (p *place) floats(name string, holding []float32, with float32) {
	p.Helper()
	done := false
	p.records(name, func(record string, data []byte) []byte {
		if bytes.Equal(data, frames.Bytes(holding)) {
			binary.LittleEndian.PutUint32(data, math.Float32bits(with))
			done = true
		}
		return data
	})
	if !done {
		p.Fatalf("%s: no storage of %v", name, holding)
	}
}

// std returns a checkpoint's standard deviations.
func (p *place) std(name string) (std []float32) {
	p.Helper()
	c, err := model.OpenCheckpoint(p.path(name))
	p.check(err)
	defer c.Close()
	for _, v := range c.Stats.Std {
		std = append(std, float32(v))
	}
	return std
}

// weights returns the averaged weights of a checkpoint's last tensor.
func (p *place) weights(name string) []float32 {
	p.Helper()
	c, err := model.OpenCheckpoint(p.path(name))
	p.check(err)
	defer c.Close()
	all, err := c.Weights("ema_state_dict")
	p.check(err)
	values, err := all[len(all)-1].Read()
	p.check(err)
	return values
}

// cacheFile returns the path of a file of the only cache, relative to the place.
func (p *place) cacheFile(name string) string {
	p.Helper()
	found, err := filepath.Glob(p.path("cache/fmsr/frames/*/" + name))
	p.check(err)
	if len(found) != 1 {
		p.Fatalf("caches: %v", found)
	}
	rel, err := filepath.Rel(p.dir, found[0])
	p.check(err)
	return rel
}

// disk mounts a file system of kB kilobytes at a folder.
func (p *place) disk(name string, kB int) {
	p.Helper()
	p.check(os.MkdirAll(p.path(name), 0o755))
	if err := unix.Mount("tmpfs", p.path(name), "tmpfs", 0, fmt.Sprintf("size=%dk", kB)); err != nil {
		p.Skipf("a small file system cannot be mounted here: %v", err)
	}
	p.Cleanup(func() { p.check(unix.Unmount(p.path(name), unix.MNT_DETACH)) })
}

// readOnly makes a folder read-only, for root too.
func (p *place) readOnly(name string) {
	p.Helper()
	p.disk(name, 64)
	if err := unix.Mount("", p.path(name), "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		p.Skipf("a file system cannot be made read-only here: %v", err)
	}
}

// folder is the content that contents gives for a folder.
const folder = "a folder"

// contents returns the content of every file and folder, by path.
func (p *place) contents() map[string]string {
	p.Helper()
	all := map[string]string{}
	p.check(filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			all[name] = folder
		case e.Type()&fs.ModeSymlink != 0:
			all[name], err = os.Readlink(path)
		case e.Type()&fs.ModeNamedPipe != 0:
			all[name] = "a pipe"
		default:
			var data []byte
			data, err = os.ReadFile(path)
			if errors.Is(err, fs.ErrPermission) { // made by forbid
				data, err = nil, nil
			}
			all[name] = string(data)
		}
		return err
	}))
	return all
}

// whyNotWhole returns what is wrong with a file that fmsr left, or "" if nothing is.
func (p *place) whyNotWhole(name, data string) string {
	var err error
	switch path := p.path(name); filepath.Ext(name) {
	case ".npy":
		var f *npy.File
		if f, err = npy.Open(path); err == nil {
			err = f.Close()
		}
	case ".arrow":
		var f *arrowtensor.File
		if strings.Contains(name, "cache/") {
			_, err = os.Stat(filepath.Join(filepath.Dir(path), "index.json"))
		} else if f, err = arrowtensor.Open(path); err == nil {
			f.Close()
		}
	case ".pt":
		var c *model.Loaded
		if c, err = model.OpenCheckpoint(path); err == nil {
			err = c.Close()
		}
	case ".parquet":
		if len(data) < 8 || !strings.HasPrefix(data, "PAR1") || !strings.HasSuffix(data, "PAR1") {
			return "it is no Parquet file"
		}
	case ".json":
		if !json.Valid([]byte(data)) {
			return "it is no JSON"
		}
	case ".png":
		_, err = png.Decode(strings.NewReader(data))
	case ".yaml":
		_, err = loadSpec(path, nil)
	}
	switch {
	case err != nil:
		return err.Error()
	case strings.Contains(name, ".tmp-") || strings.Contains(name, ".making-"):
		return "it is a half-written file"
	}
	return ""
}

// added returns the paths that are in after but not in before, sorted.
func added(before, after map[string]string) (names []string) {
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// unzip removes a record from a checkpoint.
func (p *place) unzip(name, record string) {
	p.Helper()
	p.records(name, func(r string, data []byte) []byte {
		if r == record {
			return nil
		}
		return data
	})
}

// damage flips a bit of the values holding where a file stores them, without
// updating checksums.
func (p *place) damage(name string, holding []float32) {
	p.Helper()
	data := p.read(name)
	at := bytes.Index(data, frames.Bytes(holding))
	if at < 0 {
		p.Fatalf("%s holds no %v", name, holding)
	}
	data[at] ^= 1
	p.write(name, string(data))
}

// zipped writes an npz of arrays with the given names.
func (p *place) zipped(name string, arrays ...string) {
	p.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, a := range arrays {
		to, err := w.CreateHeader(&zip.FileHeader{Name: a, Method: zip.Store})
		p.check(err)
		_, err = to.Write(p.read("coarse/x.npy"))
		p.check(err)
	}
	p.check(w.Close())
	p.write(name, out.String())
}

// forbid removes all permissions of a file, and write permission from its folder.
// For root it also drops the capabilities that override permissions.
func (p *place) forbid(name string) {
	p.Helper()
	if os.Geteuid() == 0 {
		p.under = []string{"setpriv", "--bounding-set=-dac_override,-dac_read_search"}
		if _, err := exec.LookPath(p.under[0]); err != nil {
			p.Skipf("root may do everything: %v", err)
		}
	}
	p.write(name, "")
	p.check(os.Chmod(p.path(name), 0))
	p.check(os.Chmod(filepath.Dir(p.path(name)), 0o500))
	p.Cleanup(func() { p.check(os.Chmod(filepath.Dir(p.path(name)), 0o755)) })
}

// limit makes every write beyond kB kilobytes of a file fail.
func (p *place) limit(kB int) {
	p.under = []string{"/bin/sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$@"`, 2*kB), "sh"}
}
