package cli

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// badInput spoils one thing, and has the message that fmsr must give.
type badInput struct {
	name   string
	spoil  func(p *place) // nil: only the arguments are wrong
	args   string
	status int    // 2: refused before work began; 1: the run failed later; 0: fmsr repairs it
	want   string // part of each error, one a line; with status 0, part of the output
}

// The commands of most rows.
const (
	export  = "run export.yaml --data-root data --out out"
	train   = "run train.yaml --data-root data --out out"
	cached  = "run train.yaml --data-root WHOLE/data --out out" // uses WHOLE's cache
	apply   = "run specs/superres.yaml --checkpoint model/checkpoint.pt --input coarse --out out --sample-steps 1"
	resumed = "run train.yaml --data-root data --out out --resume model/checkpoint.pt --total-steps 3"
	again   = "run again.yaml --input set --out out"
	weights = "weights model/checkpoint.pt out.safetensors"
)

// The files that most rows spoil.
const (
	array      = "data/set/seed_0001/npy/f.npy" // (4,8,8,2)
	checkpoint = "model/checkpoint.pt"
	manifest   = "set/manifest.json"
	shard      = "set/seed_0001.arrow"
)

// arrayShape is the shape of array.
var arrayShape = []int{4, 8, 8, 2}

// spec writes a wrong spec.
func spec(text string) func(*place) {
	return func(p *place) { p.write("bad.yaml", text) }
}

// flow writes a spec with the given stages.
func flow(lines ...string) func(*place) {
	return spec("version: 1\nflow:\n  - " + strings.Join(lines, "\n  - ") + "\n")
}

var badInputs = []badInput{
	// npy files
	{"empty array", func(p *place) { p.write(array, "") }, export, 2,
		"flow[0].npy_load: DIR/data/set/seed_0001/npy/f.npy: not an npy file: 0 bytes long"},
	{"array cut in its header", func(p *place) { p.cut(array, 50) }, export, 2,
		"seed_0001/npy/f.npy: truncated within the npy header"},
	{"array cut in its values", func(p *place) { p.cut(array, -4) }, export, 2,
		"seed_0001/npy/f.npy: truncated: 2172 bytes, want 2176 for shape [4 8 8 2]"},
	{"array too long", func(p *place) { p.write(array, string(p.read(array))+"x") }, export, 2,
		"seed_0001/npy/f.npy: longer than its array: 2177 bytes, want 2176 for shape [4 8 8 2]"},
	{"text in place of an array", func(p *place) { p.write(array, "velocity of the flow") }, export, 2,
		`seed_0001/npy/f.npy: not an npy file: it starts with "veloci"`},
	{"npy of another version", func(p *place) { p.edit(array, "NUMPY\x01", "NUMPY\x04") }, export, 2,
		"seed_0001/npy/f.npy: npy version 4.0: want 1.0, 2.0 or 3.0"},
	{"npy header without shape", func(p *place) { p.header(array, "{'descr': '<f4', 'fortran_order': False, }") }, export, 2,
		`seed_0001/npy/f.npy: npy header "{'descr': '<f4', 'fortran_order': False, }": want {'descr': ..., 'fortran_order': ..., 'shape': ...}`},
	{"npy header of nonsense", func(p *place) { p.header(array, "{{{") }, export, 2,
		`seed_0001/npy/f.npy: npy header "{{{": want {'descr': ..., 'fortran_order': ..., 'shape': ...}`},
	{"negative shape", func(p *place) { p.header(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (4, -8, 8, 2), }") }, export, 2,
		"want a length before \"-8, 8, 2"},
	{"shape that overflows", func(p *place) {
		p.header(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296, 8, 2), }")
	}, export, 2, "seed_0001/npy/f.npy: shape [4294967296 4294967296 8 2]: too large"},
	{"shape beyond integers", func(p *place) {
		p.header(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 8, 8, 2), }")
	}, export, 2, `'shape': (99999999999999999999, 8, 8, 2), }": want {'descr': `},
	{"shape larger than the file", func(p *place) {
		p.header(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (400, 256, 256, 8), }")
	}, export, 2, "seed_0001/npy/f.npy: truncated: 2130 bytes, want 838860882 for shape [400 256 256 8]"},
	{"integers", func(p *place) { p.header(array, "{'descr': '<i4', 'fortran_order': False, 'shape': (4, 8, 8, 2), }") }, export, 2,
		`seed_0001/npy/f.npy: dtype "<i4": want float32, float64 or float16`},
	{"complex numbers", func(p *place) { p.header(array, "{'descr': '<c8', 'fortran_order': False, 'shape': (2, 8, 8, 2), }") }, export, 2,
		`seed_0001/npy/f.npy: dtype "<c8": want float32, float64 or float16`},
	{"Python objects", func(p *place) { p.header(array, "{'descr': '|O', 'fortran_order': False, 'shape': (4, 8, 8, 2), }") }, export, 2,
		`seed_0001/npy/f.npy: dtype "|O": want float32, float64 or float16`},
	{"no channel axis", func(p *place) { p.array(array, 8, 8, 8) }, export, 2,
		"seed_0001/npy/f.npy: shape [8 8 8], want (frames, H, W, channels)"},
	{"an axis too many", func(p *place) { p.array(array, 1, 4, 8, 8, 2) }, export, 2,
		"seed_0001/npy/f.npy: shape [1 4 8 8 2], want (frames, H, W, channels)"},
	{"no frames", func(p *place) { p.header(array, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 8, 8, 2), }") }, export, 2,
		"seed_0001/npy/f.npy: shape [0 8 8 2]: want every dimension at least 1"},
	{"channels that have no name", func(p *place) { p.array(array, 4, 8, 8, 3) }, export, 2,
		"seed_0001/npy/f.npy: 3 channels, but fields names 2: a b"},
	{"seeds of different grids", func(p *place) { p.array(array, 4, 16, 8, 2) }, export, 2,
		"seed_0001/npy/f.npy: grid 16 x 8, but the simulations before it have 8 x 8"},
	{"grid that the factor does not divide", nil, export + " --set pool_upsample.factor=3", 2,
		"flow[2].pool_upsample: factor 3 does not divide the grid 8 x 8"},
	{"NaN in a frame", func(p *place) { p.value(array, 2*128+5, float32(math.NaN())) }, export, 1,
		"seed 1, frame 2: field b: NaN at y=0, x=2"},
	{"Inf in a frame, on the way to the cache", func(p *place) { p.value(array, 128+16, float32(math.Inf(-1))) }, train, 1,
		"flow[1].channel_select: seed 1, frame 1: field a: -Inf at y=1, x=0"},
	{"folder in place of an array", func(p *place) { p.remove(array); p.write(array+"/x", "") }, export, 2,
		"seed_0001/npy/f.npy: it is a folder: want a file"},
	{"pipe in place of an array", func(p *place) { p.pipe(array) }, export, 2, "seed_0001/npy/f.npy: it is a pipe: want a file"},
	{"pipe in place of a checkpoint", func(p *place) { p.pipe(checkpoint) }, apply, 2, "it is a pipe: want a file"},
	{"pipe in place of the inputs", func(p *place) { p.pipe("coarse/x.npy") }, apply, 2, "coarse/x.npy: it is a pipe: want a file"},
	{"pipe in place of a spec", func(p *place) { p.pipe("train.yaml") }, train, 2, "train.yaml:1:1: the spec is empty"},
	{"two arrays in a seed", func(p *place) { p.array("data/set/seed_0001/npy/g.npy", 4, 8, 8, 2) }, export, 2,
		"data/set/seed_0001/npy: 2 npy or npz files, want one"},
	{"a seed twice", func(p *place) { p.array("data/set/seed_1/npy/f.npy", 4, 8, 8, 2) }, export, 2,
		"seed 1 is there twice: DIR/data/set/seed_0001/npy/f.npy and DIR/data/set/seed_1/npy/f.npy"},
	{"link that leads nowhere", func(p *place) { p.remove(array); p.check(os.Symlink("nowhere.npy", p.path(array))) }, export, 2,
		"seed_0001/npy/f.npy: no such file or directory"},
	{"array that may not be read", func(p *place) { p.forbid(array) }, export, 2,
		"seed_0001/npy/f.npy: permission denied"},
	{"npz of two arrays", func(p *place) { p.remove(array); p.zipped("data/set/seed_0001/npy/f.npz", "u.npy", "v.npy") }, export, 2,
		"seed_0001/npy/f.npz: want one array, one for each field, or the name of one: it has u, v"},

	// the data's folder
	{"no data", nil, "run export.yaml --data-root nowhere --out out", 2,
		"flow[0].npy_load: root DIR/nowhere: no such folder"},
	{"data that are a file", nil, "run export.yaml --data-root export.yaml --out out", 2,
		"flow[0].npy_load: root DIR/export.yaml: it is a file, want a folder"},
	{"data without the set", nil, "run export.yaml --data-root coarse --out out", 2,
		"flow[0].npy_load: root DIR/coarse has no folder set: it holds x.npy"},
	{"set without seeds", func(p *place) { p.write("other/set/README", "none") }, "run export.yaml --data-root other --out out", 2,
		"flow[0].npy_load: DIR/other/set: no folder seed_NNNN there"},
	{"missing seed", nil, export + " --set npy_load.split={train:[0],val:[7]}", 2,
		"flow[0].npy_load: seed 7 is not in DIR/data/set: it has 3 seeds, 0 to 2"},
	{"seed in two splits", nil, export + " --set npy_load.split={train:[0,1],val:[1]}", 2,
		"--set npy_load.split={train:[0,1],val:[1]}: puts seed 1 into both train and val"},
	{"missing frame", nil, export + " --set npy_load.frames=3-4", 2,
		"seed_0000/npy/f.npy: 4 frames, but frame 4 is asked for"},
	{"nothing to train on", nil, train + " --set npy_load.split={val:[0]}", 2,
		"flow[4].normalize: there are no training frames to take the statistics from"},
	{"nothing to validate on", nil, train + " --set npy_load.split={train:[0]}", 2,
		"flow[8].eval: there are no validation frames: name some in npy_load.split, or set run.overfit"},

	// caches: damaged ones are made again
	{"cache with a damaged index", func(p *place) { p.cut(p.cacheFile("index.json"), -10) }, cached, 0, "arrow_cache: making "},
	{"cache with an edited index", func(p *place) { p.edit(p.cacheFile("index.json"), `"h":8`, `"h":9`) }, cached, 0,
		"index.json: damaged, edited or of an older fmsr"},
	{"cache with cut data", func(p *place) { p.cut(p.cacheFile("frames.arrow"), -1) }, cached, 0, "frames.arrow: "},
	{"cache with a flipped bit", func(p *place) {
		p.damage(p.cacheFile("frames.arrow"), []float32{wave(arrayShape, 0), wave(arrayShape, 2), wave(arrayShape, 4)})
	}, cached, 0, "checksum "},
	{"cache without its index", func(p *place) { p.remove(p.cacheFile("index.json")) }, cached, 0, "index.json: no such file"},
	{"cache of another program", func(p *place) {
		p.write(p.cacheFile("frames.arrow"), "GIF89a")
		p.write(p.cacheFile("index.json"), "[]")
	}, cached, 0, "arrow_cache: making "},
	{"damaged statistics", func(p *place) {
		fits, err := filepath.Glob(p.path("cache/fmsr/fits/*.json"))
		p.check(err)
		for _, fit := range fits {
			p.check(os.WriteFile(fit, []byte(`[{"count":0}]`), 0o644))
		}
	}, cached, 0, ""},
	{"cache below a file", nil, train + " --set arrow_cache.dir=train.yaml/cache", 2,
		"flow[2].arrow_cache: the folder of the cached frames: mkdir DIR/train.yaml: not a directory: set arrow_cache.dir to another"},
	{"cache where nothing can be written", nil, train + " --set arrow_cache.dir=/proc/cache", 2,
		"flow[2].arrow_cache: the folder of the cached frames: mkdir /proc/cache: "},
	{"cache on a disk too small", func(p *place) { p.disk("full", 8) }, train + " --set arrow_cache.dir=full", 1,
		"flow[2].arrow_cache: seed 0, frame 0: DIR/full: 8.19 kB free, 18.4 kB needed: make room or set arrow_cache.dir"},
	{"cache rm of no cache", nil, "cache rm --dir cache/fmsr/frames 0123", 2,
		"no cache 0123 in cache/fmsr/frames: fmsr cache ls shows them"},
	{"cache ls of a file", nil, "cache ls --dir train.yaml", 1, "train.yaml: not a directory"},

	// checkpoints
	{"no checkpoint", nil, "run specs/superres.yaml --checkpoint nowhere.pt --input coarse --out out", 2,
		"flow[1].superres: open DIR/nowhere.pt: no such file or directory"},
	{"empty checkpoint", func(p *place) { p.write(checkpoint, "") }, apply, 2,
		"flow[1].superres: DIR/model/checkpoint.pt: not a PyTorch checkpoint (a zip file, as torch.save writes)"},
	{"cut checkpoint", func(p *place) { p.cut(checkpoint, 5000) }, apply, 2,
		"flow[1].superres: DIR/model/checkpoint.pt: not a PyTorch checkpoint (a zip file, as torch.save writes)"},
	{"folder in place of a checkpoint", nil, "run specs/superres.yaml --checkpoint coarse --input coarse --out out", 2,
		"flow[1].superres: open DIR/coarse/checkpoint.pt: no such file"},
	{"checkpoint without its pickle", func(p *place) { p.unzip(checkpoint, "data.pkl") }, apply, 2,
		"model/checkpoint.pt: not a PyTorch checkpoint: it has no data.pkl"},
	{"checkpoint that runs code", func(p *place) {
		p.records(checkpoint, func(record string, data []byte) []byte {
			if record == "data.pkl" {
				return []byte("\x80\x02cposix\nsystem\nX\x0c\x00\x00\x00touch hacked\x85R.")
			}
			return data
		})
	}, apply, 2, `model/checkpoint.pt: data.pkl: its value is an object of "posix.system": want a dict`},
	{"checkpoint without channel names", func(p *place) { p.pickle(checkpoint, "channel_names", "channel_nemas") }, apply, 2,
		"model/checkpoint.pt: it lacks channel_names: want a dict of"},
	{"checkpoint without weights", func(p *place) { p.pickle(checkpoint, "model_state_dict", "model_state_dikt") }, apply, 2,
		"model/checkpoint.pt: it lacks model_state_dict: want a dict of"},
	{"checkpoint without a parameter", func(p *place) { p.pickle(checkpoint, "time_embed.2.weight", "time_embed.3.weight") }, apply + " --weights raw", 2,
		"model/checkpoint.pt: model_state_dict has no tensor time_embed.2.weight"},
	{"weights of a wrong shape", func(p *place) { p.pickle(checkpoint, tuple(16, 16), tuple(8, 32)) }, apply + " --weights raw", 2,
		"model/checkpoint.pt: model_state_dict: time_embed.2.weight has shape [8 32], want [16 16]"},
	{"checkpoint without a storage", func(p *place) { p.unzip(checkpoint, "data/3") }, apply + " --weights raw", 2,
		"model/checkpoint.pt: model_state_dict: time_embed.2.bias: storage 3 of 64 bytes is not there"},
	{"weights that are damaged", func(p *place) { p.damage(checkpoint, p.weights(checkpoint)) }, apply, 2,
		"DIR/model/checkpoint.pt: ema_state_dict: out.2.bias: record data/"},
	{"weights that are damaged, exported", func(p *place) { p.damage(checkpoint, p.weights(checkpoint)) }, weights, 1,
		"out.safetensors: tensor out.2.bias: model/checkpoint.pt: record data/"},
	{"NaN among the weights", func(p *place) { p.floats(checkpoint, p.weights(checkpoint), float32(math.NaN())) }, apply, 2,
		"model/checkpoint.pt: ema_state_dict: out.2.bias holds NaN"},
	{"deviation of zero", func(p *place) { p.floats(checkpoint, p.std(checkpoint), 0) }, apply, 2,
		"model/checkpoint.pt: stats.std of a is 0"},
	{"deviation that is no number", func(p *place) { p.floats(checkpoint, p.std(checkpoint), float32(math.NaN())) }, weights, 2,
		"model/checkpoint.pt: stats.std of a is NaN"},
	{"statistics of too few channels", func(p *place) { p.pickle(checkpoint, text("b"), text("b")+text("c")) }, apply, 2,
		" has 2 values for 3 channels"},
	{"checkpoint of other channels", func(p *place) { p.pickle(checkpoint, text("b"), text("z")) }, resumed, 2,
		"flow[6].train: DIR/model/checkpoint.pt: its channels are a, z, the run's are a, b"},
	{"checkpoint of weights alone, resumed from", func(p *place) { p.pickle(checkpoint, "resume", "resumX") }, resumed, 2,
		"flow[6].train: DIR/model/checkpoint.pt: it has weights, but not the state that a run resumes from (the key resume)"},
	{"checkpoint of another network, resumed from", nil, resumed + " --set train.model_channels=8", 2,
		"DIR/out resumes from model/checkpoint.pt, but train.model_channels was 4, and is 8: go back to that, or start over with --resume never"},
	{"checkpoint without moments, resumed from", func(p *place) { p.pickle(checkpoint, "optimizer_state", "optimizer_stale") }, resumed, 2,
		"flow[6].train: DIR/model/checkpoint.pt: it has no optimizer_state"},
	{"damaged weights, resumed from", func(p *place) { p.damage(checkpoint, p.weights(checkpoint)) }, resumed, 2,
		"model/checkpoint.pt: record checkpoint/data/"},
	{"checkpoint of other data, resumed from", func(p *place) { p.value("data/set/seed_0000/npy/f.npy", 0, 9) }, resumed, 2,
		"model/checkpoint.pt: the training data have changed: a has mean "},
	{"checkpoint in the run's folder is damaged", func(p *place) { p.cut(checkpoint, -9) }, "run train.yaml --data-root data --out model --total-steps 3", 2,
		"fmsr: DIR/model/checkpoint.pt: not a PyTorch checkpoint (a zip file, as torch.save writes), or cut short: name another checkpoint by --resume"},

	// superres' input
	{"no input", nil, "run specs/superres.yaml --checkpoint model/checkpoint.pt --out out", 2,
		"flow[0].files_load: input is not set: give an npy or npz file, a folder or a glob by --input"},
	{"no model", nil, "run specs/superres.yaml --input coarse --out out", 2,
		"flow[1].superres: checkpoint is not set: give a trained model's checkpoint.pt by --checkpoint"},
	{"input folder without arrays", nil, "run specs/superres.yaml --checkpoint model/checkpoint.pt --input data --out out", 2,
		"flow[0].files_load: input DIR/data: no npy, npz or HDF5 file there"},
	{"input of other channels", func(p *place) { p.array("coarse/x.npy", 2, 8, 8, 3) }, apply, 2,
		"flow[1].superres: DIR/coarse/x.npy: 3 channels, but the checkpoint's are 2: a, b (name the file's by --fields)"},
	{"input that would be overwritten", nil, "run specs/superres.yaml --checkpoint model/checkpoint.pt --input coarse --out coarse", 2,
		"DIR/coarse/x.npy, which is read, would be overwritten by x.npy: give another folder by --out"},
	{"truth that would be overwritten", func(p *place) { p.array("fine/x.npy", 2, 16, 16, 2) }, strings.Replace(apply, "--out out", "--truth fine --out fine", 1), 2,
		"DIR/fine/x.npy, which is read, would be overwritten by x.npy: give another folder by --out"},
	{"truth that would be overwritten, by a link", func(p *place) {
		p.array("fine/x.npy", 2, 16, 16, 2)
		p.check(os.Symlink("fine", p.path("link")))
	}, strings.Replace(apply, "--out out", "--truth fine --out link", 1), 2, "DIR/fine/x.npy, which is read, would be overwritten by x.npy: give another folder by --out"},
	{"a user's file in place of the output", func(p *place) { p.write("out/x.npy", "mine") }, apply, 2,
		"DIR/out/x.npy is there, and fmsr did not make it: give another folder by --out, or move it away"},
	{"superres into a training's folder", nil, strings.Replace(apply, "--out out", "--out model", 1), 2,
		"the run's folder DIR/model: it holds the results of training, which these would replace: give another --out"},
	{"export into a training's folder", nil, "run export.yaml --data-root data --out model", 2, "the run's folder DIR/model: it holds the results of training"},
	{"export over its own input", func(p *place) {
		p.write("bad.yaml", "version: 1\nrun: {overfit: false}\nflow:\n  - arrow_load:\n  - export:\n")
	}, "run bad.yaml --input set --out set --resume never", 2, "DIR/set/manifest.json, which is read, would be overwritten by manifest.json: give another folder by --out"},
	{"training into a project's folder", func(p *place) { p.write("wandb/run-1/precious", "mine") }, "run train.yaml --data-root data --out .", 2,
		"DIR/wandb is there, and fmsr did not make it: give another folder by --out, or move it away"},
	{"training over its spec", func(p *place) { p.write("spec.yaml", string(p.read("train.yaml"))) }, "run spec.yaml --data-root data --out .", 2,
		"spec.yaml, which is read, would be overwritten by spec.yaml: give another folder by --out"},
	{"report over a folder", func(p *place) { p.write("out/spectra.png/mine", "mine") },
		"run specs/spectra.yaml --data-root data --data-set set --set npy_load.fields=a,b --out out", 2, "DIR/out/spectra.png is there, and fmsr did not make it"},
	{"weights over the checkpoint", nil, "weights model/checkpoint.pt model/../model/checkpoint.pt", 2, "model/../model/checkpoint.pt is the checkpoint itself: give another file for the weights"},
	{"weights over another file", nil, "weights model/checkpoint.pt train.yaml", 2, "train.yaml is there, and holds no weights: give another file for them, or move it away"},
	{"name that is too long for an output", func(p *place) {
		p.write("coarse/"+strings.Repeat("n", 251)+".npy", string(p.read("coarse/x.npy")))
	}, apply + " --format parquet", 2, "a name of 259 bytes: want at most 255"},
	{"NaN in the input", func(p *place) {
		data := p.read("coarse/x.npy")
		copy(data[len(data)-4:], "\x00\x00\xc0\x7f")
		p.write("coarse/x.npy", string(data))
	}, apply, 1, "flow[1].superres: seed 0, frame 1: x.npy: field b: NaN at y=7, x=7"},
	{"truth of another shape", nil, apply + " --truth coarse", 2,
		"truth DIR/coarse/x.npy: shape [2 8 8 2], want [2 16 16 2] for DIR/coarse/x.npy"},

	// exports as input
	{"export without a manifest", func(p *place) { p.remove(manifest) }, again, 2,
		"flow[0].arrow_load: open DIR/set/manifest.json: no such file or directory"},
	{"manifest that is no JSON", func(p *place) { p.cut(manifest, -20) }, again, 2,
		"flow[0].arrow_load: DIR/set/manifest.json: not a manifest: unexpected end of JSON input"},
	{"manifest of something else", func(p *place) { p.write(manifest, `{"name": "app", "files": []}`) }, again, 2,
		"DIR/set/manifest.json: not a manifest of an export: channel_names, h, w or files are missing"},
	{"manifest of other means", func(p *place) { p.edit(manifest, `"mean": [`, `"mean": [1,`) }, again, 2,
		"DIR/set/manifest.json: 3 means and 2 deviations of 2 channels"},
	{"manifest with another size", func(p *place) { p.reseal(manifest, `"bytes": `, `"bytes": 9`) }, again, 2,
		"DIR/set/seed_0000.arrow: 6474 bytes, want 96474: the manifest is not of this file, or it is truncated"},
	{"manifest with another checksum", func(p *place) { p.reseal(manifest, `"sha256": "`, `"sha256": "0`) }, again + " --set arrow_load.verify=true", 2,
		"the file is damaged"},
	{"manifest that names a file outside", func(p *place) { p.edit(manifest, `"seed_0001.arrow"`, `"../seed_0001.arrow"`) }, again, 2,
		`DIR/set/manifest.json: file "../seed_0001.arrow": want a path within the folder`},
	{"manifest that names a file twice", func(p *place) { p.edit(manifest, `"seed_0001.arrow"`, `"seed_0000.arrow"`) }, again, 2,
		"DIR/set/manifest.json: file seed_0000.arrow: it is listed twice"},
	{"manifest of another split", func(p *place) { p.edit(manifest, `"split": "val"`, `"split": "dev"`) }, again, 2,
		`DIR/set/manifest.json: file seed_0001.arrow: split "dev": want train, val or test`},
	{"export without a file", func(p *place) { p.remove(shard) }, again, 2,
		"flow[0].arrow_load: open DIR/set/seed_0001.arrow: no such file or directory"},
	{"Arrow file that is cut", func(p *place) { p.cut(shard, -10) }, again, 2,
		"DIR/set/seed_0001.arrow: 6456 bytes, want 6466: the manifest is not of this file, or it is truncated"},
	{"Arrow file with another value", func(p *place) {
		p.damage(shard, []float32{wave(arrayShape, 0), wave(arrayShape, 2), wave(arrayShape, 4)})
	}, again, 2,
		"flow[0].arrow_load: seed 1, frame 0: DIR/set/seed_0001.arrow: row 0: x_hi has the checksum "},
	{"manifest of another boundary", func(p *place) { p.edit(manifest, `"clamp"`, `"periodic"`) }, again, 2,
		"DIR/set/manifest.json: damaged, edited or of an older fmsr"},
	{"Arrow file of zeros", func(p *place) { p.write(shard, strings.Repeat("\x00", len(p.read(shard)))) }, again, 2,
		`DIR/set/seed_0001.arrow: not an Arrow file: it starts with "\x00\x00\x00\x00\x00\x00"`},
	{"Arrow file of another schema", func(p *place) { p.reseal(manifest, `"a"`, `"c"`) }, again, 2,
		"DIR/set/seed_0000.arrow: [a b] at 8 x 8, and the manifest says [c b] at 8 x 8"},
	{"Arrow file of another seed", func(p *place) { p.write(shard, string(p.read("set/seed_0002.arrow"))) }, again, 2,
		"DIR/set/seed_0001.arrow: row 0 is of seed 2, test, and the manifest says seed 1, val"},
	{"folder that holds another export", nil, "run export.yaml --data-root data --out set --channels a", 2,
		"DIR/set: it holds the results of another spec or of other data: give another --out, remove it, or start over with --resume never"},

	// specs
	{"no spec", nil, "run nowhere.yaml", 2,
		"spec nowhere.yaml: no such file or directory; shipped are specs/demo.yaml, "},
	{"folder in place of a spec", nil, "run data", 2, "spec data: it is a folder: want a file; shipped are specs/demo.yaml, "},
	{"empty spec", spec("# nothing\n"), "run bad.yaml", 2, "bad.yaml:1:1: the spec is empty: want version, run and flow"},
	{"spec that is no YAML", spec("version: 1\nflow: [npy_load\n"), "run bad.yaml", 2, "bad.yaml:2:7: sequence end token ']' not found"},
	{"spec that is binary", spec("\x7fELF\x02\x01\x01\x00\x00"), "run bad.yaml", 2, `bad.yaml:1:1: the spec is "\x7fELF\x02\x01\x01\x00\x00": want version, run and flow`},
	{"tabs", spec("version: 1\nflow:\n\t- npy_load:\n"), "run bad.yaml", 2, "bad.yaml:3:1: found character '\t' that cannot start any token"},
	{"two documents", spec("version: 1\nflow: [npy_load]\n---\nversion: 1\n"), "run bad.yaml", 2,
		"bad.yaml:4:8: a second YAML document: a spec is one"},
	{"a key twice", spec("version: 1\nrun: {seed: 1, seed: 2}\nflow: [npy_load]\n"), "run bad.yaml", 2,
		`bad.yaml:2:16: mapping key "seed" already defined at [2:7]`},
	{"another version", spec("version: 2\nflow: [npy_load]\n"), "run bad.yaml", 2, "bad.yaml:1:10: version: is 2: want 1"},
	{"no flow", spec("version: 1\nrun: {name: x}\n"), "run bad.yaml", 2, "bad.yaml:1:1: flow: is missing: list the stages"},
	{"empty flow", spec("version: 1\nflow: []\n"), "run bad.yaml", 2, "bad.yaml:2:1: flow: is empty: list the stages"},
	{"anchors", spec("version: 1\nrun: &r {name: x}\nflow: [npy_load]\n"), "run bad.yaml", 2, "bad.yaml:2:6: anchor is not used in specs"},
	{"unknown stage", flow("npy_lod:"), "run bad.yaml", 2, `bad.yaml:3:5: flow[0].npy_lod: no such stage (did you mean "npy_load"?)`},
	{"unknown key", flow("npy_load: {sed: x}"), "run bad.yaml", 2, `bad.yaml:3:16: flow[0].npy_load.sed: unknown key (did you mean "set"?)`},
	{"wrong type", flow("npy_load: {root: d}", "channel_select:", "batch: {size: many}"), "run bad.yaml", 2,
		`bad.yaml:5:19: flow[2].batch.size: wants a whole number, got "many"`},
	{"stages that do not fit", flow("npy_load: {root: d}", "arrow_cache:"), "run bad.yaml", 2,
		"bad.yaml:4:5: flow[1].arrow_cache: needs planar frames: put channel_select or superres above it"},
	{"normalized twice", flow("npy_load: {root: data, set: set, fields: [a, b]}", "channel_select: {channels: all}", "normalize:", "normalize:", "export:"), "run bad.yaml --out out --no-overfit", 2,
		"flow[3].normalize: is below normalize, but takes no normalized frames: leave one of them out"},
	{"a log twice", spec(trainSpec + "  - metrics:\n"), "run bad.yaml", 2,
		"bad.yaml:18:5: flow[14].metrics: appears twice, and both would write the same files"},
	{"a stage below the end", flow("synth:", "layout_save:", "channel_select:", "export:"), "run bad.yaml --out out --no-overfit", 2,
		"bad.yaml:5:5: flow[2].channel_select: is below layout_save, which sends nothing on: put it above layout_save"},
	{"figures before they are there", spec(strings.Replace(trainSpec, "  - ema:\n", "  - tensorboard:\n  - ema:\n", 1)), "run bad.yaml", 2,
		"bad.yaml:11:5: flow[7].tensorboard: needs evaluated steps: put it below eval\n" +
			"bad.yaml:15:5: flow[11].tensorboard: appears twice, and both would write the same files"},
	{"averaged after the evaluation", spec(strings.Replace(trainSpec, "  - metrics:\n", "  - ema:\n  - metrics:\n", 1)), "run bad.yaml", 2,
		"bad.yaml:13:5: flow[9].ema: is below eval, but takes no evaluated steps: put it above eval"},
	{"second source", flow("npy_load: {root: d}", "npy_load: {root: e}"), "run bad.yaml", 2, "bad.yaml:4:5: flow[1].npy_load: starts a flow: put it first"},
	{"a box without width", spec("version: 1\nrun: {grid: {box: [1]}}\nflow: [npy_load]\n"), "run bad.yaml", 2,
		"bad.yaml:2:19: run.grid.box: is [1]: want the height and the width"},
	{"a box of no height", spec("version: 1\nrun: {grid: {box: [0, 1]}}\nflow: [npy_load]\n"), "run bad.yaml", 2,
		"bad.yaml:2:20: run.grid.box[0]: is 0: want more than 0"},
	{"several faults", spec("version: 2\nruns: {}\nflow:\n  - npy_load: {fields: []}\n  - batch: {size: 0}\n"), "run bad.yaml", 2,
		"bad.yaml:1:10: version: is 2: want 1\n" +
			"bad.yaml:2:1: runs: unknown key (did you mean \"run\"?)\n" +
			"bad.yaml:4:24: flow[0].npy_load.fields: is empty: name the channels in the order of the file's last axis\n" +
			"bad.yaml:5:5: flow[1].batch: needs planar frames: put channel_select or superres above it\n" +
			"bad.yaml:5:19: flow[1].batch.size: is 0: want at least 1"},

	// flags
	{"unknown verb", nil, "trian", 2, `unknown command "trian" for "fmsr"`},
	{"unknown flag", nil, train + " --learning-rate 1", 2, "unknown flag: --learning-rate"},
	{"flag without its value", nil, train + " --lr", 2, "flag needs an argument: --lr"},
	{"no spec at all", nil, "run", 2, "run: 0 arguments: want fmsr run SPEC [flags]"},
	{"--set of no value", nil, train + " --set train.lr", 2, "--set train.lr: want STAGE.KEY=VALUE"},
	{"--set of an unknown key", nil, train + " --set train.lrr=1", 2, `--set train.lrr=1: unknown key (did you mean "lr"?)`},
	{"--set of an unknown stage", nil, train + " --set trian.lr=1", 2, `--set trian.lr=1: the spec has no trian stage (did you mean "train"?)`},
	{"--set of a stage beyond the flow", nil, train + " --set 99.lr=1", 2, "--set 99.lr=1: the flow has no stage 99: they are 0 to 13"},
	{"flag of a missing stage", nil, export + " --lr 1", 2, "--lr: the spec has no train stage"},
	{"negative learning rate", nil, train + " --lr -1", 2, "--lr: is -1: want more than 0"},
	{"learning rate in words", nil, train + " --lr fast", 2, `--lr: wants a number, got "fast"`},
	{"negative sample steps", nil, train + " --sample-steps -1", 2, "--sample-steps: is -1: want 0 to 100000"},
	{"negative steps", nil, train + " --max-steps -1", 2, "--max-steps: is -1: want at least 0"},
	{"times upside down", nil, train + " --t-min-train 0.9 --t-max-train 0.1", 2, "--t-min-train: is 0.9: want less than t_max, which is 0.1"},
	{"network with odd channels", nil, train + " --model-channels 5", 2, "--model-channels: unet: model_channels 5: want an even number of at least 2"},
	{"fields that lead to another folder", flow(`npy_load: {root: d, fields: ["../../a", b]}`, `channel_select: {channels: ["/a"]}`), "run bad.yaml", 2,
		`bad.yaml:3:33: flow[0].npy_load.fields: the name of field 0 is "../../a": want a name that a folder can have, without / and \` + "\n" +
			`bad.yaml:4:32: flow[1].channel_select.channels: the name of field 0 is "/a": want a name that a folder can have, without / and \`},
	{"fields with control characters", nil, apply + " --fields a,b\x1b[31m", 2, `--fields: the name of field 1 is "b\x1b[31m": want only characters that can be printed`},
	{"network too wide", nil, train + " --model-channels 16384", 2, "--model-channels: is 16384: want at most 8192"},
	{"level too wide", nil, train + " --channel-mult 1,1000000000", 2, "--channel-mult: is 1000000000: want 1 to 64"},
	{"network too large for any memory", nil, train + " --model-channels 8192 --channel-mult 64,64,64", 2, " GB of memory are left: lower train.model_channels or train.channel_mult"},
	{"batch larger than an epoch", nil, train + " --batch-size 1000000", 2, "flow[6].train: a batch takes 1000000 frames, and the training split has 4: want batch.size (--batch-size) of at most 4"},
	{"batches beyond counting", nil, train + " --accumulate 1000000000", 2, "--accumulate: is 1000000000: want 1 to 1000000"},
	{"box in two units", nil, train + " --set run.grid.box=[1e8,1]", 2, "flow[0].npy_load: run.grid.box [1e+08, 1] over 8 x 8 cells"},
	{"samples beyond counting", nil, apply + " --samples 1000000000000000000", 2, "--samples: is 1000000000000000000: want 1 to 1000000"},
	{"threads beyond any machine", nil, train + " --threads 20000", 2, "--threads: is 20000: want 0 to 1024"},
	{"unknown channel", nil, train + " --channels a,z", 2, `flow[1].channel_select: channels: no field "z" in the data: it has a, b`},
	{"unknown device", nil, train + " --device tpu", 2, `--device: device "tpu": want auto, cpu, cuda or cuda:INDEX`},
	{"missing device", nil, train + " --device cuda:7", 2, "flow[6].train: device cuda:7: this libtorch has no CUDA: "},
	{"resumed from nowhere", nil, train + " --resume nowhere.pt", 2, "--resume nowhere.pt: want auto, never or a checkpoint: no such file or directory"},
	{"resumed where nothing is trained", nil, export + " --resume model/checkpoint.pt", 2, "resume from model/checkpoint.pt: this flow trains nothing"},
	{"share 3 of 2", nil, export + " --shard 3/2", 2, `shard "3/2": want I/N, I from 1 to N: 1/4, 2/4, 3/4, 4/4`},
	{"share of a training", nil, train + " --shard 1/2", 2, "shard 1/2: this flow cannot be shared: "},
	{"unknown format", nil, export + " --format csv", 2, `--format: is "csv": want arrow, parquet, npy or well`},
	{"unknown weights", nil, weights + " --weights best", 2, `--weights "best": want ema or raw`},
	{"describe of no stage", nil, "describe tran", 2, `no stage "tran": fmsr list shows them`},

	// places where nothing can be written
	{"run's folder below a file", nil, "run train.yaml --data-root data --out train.yaml/out", 2,
		"the run's folder DIR/train.yaml/out: mkdir DIR/train.yaml: not a directory"},
	{"export below a file", nil, "run export.yaml --data-root data --out train.yaml/out", 2,
		"the run's folder DIR/train.yaml/out: mkdir DIR/train.yaml: not a directory"},
	{"superres below a file", nil, strings.Replace(apply, "--out out", "--out train.yaml/out", 1), 2,
		"the run's folder DIR/train.yaml/out: mkdir DIR/train.yaml: not a directory"},
	{"weights below a file", nil, "weights model/checkpoint.pt train.yaml/out.safetensors", 1, "fmsr: train.yaml/out.safetensors: not a directory"},
	{"run's folder in /proc", nil, "run train.yaml --data-root data --out /proc/fmsr", 2, "the run's folder /proc/fmsr: mkdir /proc/fmsr: "},
	{"spectra in /sys", nil, "run specs/spectra.yaml --data-root data --data-set set --set npy_load.fields=a,b --out /sys/fmsr", 2,
		"the run's folder /sys/fmsr: mkdir /sys/fmsr: "},
	{"run's folder that is a file", nil, "run train.yaml --data-root data --out coarse/x.npy", 2,
		"the run's folder DIR/coarse/x.npy: mkdir DIR/coarse/x.npy: not a directory"},
	{"export onto a read-only disk", func(p *place) { p.readOnly("full") }, "run export.yaml --data-root data --out full", 2,
		"the run's folder DIR/full: read-only file system"},
	{"run's folder that may not be written", func(p *place) { p.forbid("locked/x") }, "run train.yaml --data-root data --out locked/out", 2, "the run's folder DIR/locked/out: mkdir DIR/locked/out: permission denied"},

	// disks that are full
	{"training on a full disk", func(p *place) { p.disk("full", 64) }, "run train.yaml --data-root data --out full", 1,
		": no space left on device"}, // of the checkpoint, or of a log written at the same time
	{"export on a disk too small", func(p *place) { p.disk("full", 20) }, "run export.yaml --data-root data --out full", 2, "flow[3].export: DIR/full: 16.4 kB free, 24.6 kB needed"},
	{"export on a disk that fills", func(p *place) { p.disk("full", 48) }, "run export.yaml --data-root data --out full", 1,
		"flow[3].export: DIR/full/.parts/seed_0002.json: no space left on device"},
	{"superres on a disk that fills", func(p *place) { p.disk("full", 16) }, strings.Replace(apply, "--out out", "--out full", 1), 1, "flow[5].files_save: seed 0, frame 0: DIR/full/x.npy: no space left on device"},
	{"weights on a full disk", func(p *place) { p.disk("full", 4) }, "weights model/checkpoint.pt full/out.safetensors", 1, "fmsr: full/out.safetensors: no space left on device"},
	{"synth on a full disk", func(p *place) { p.disk("full", 72) }, "run specs/synth.yaml --out full --synth-seeds 2 --synth-frames 4 --grid 16,16", 1,
		"flow[1].layout_save: seed 1, frame 2: DIR/full/synth/seed_0001/npy/all_fields_16x16.npy: no space left on device"},

	// files that reach a size limit, which is another way for a write to fail
	{"checkpoint that cannot be written", func(p *place) { p.limit(20) }, train, 1, ": file too large"},
	{"cache that cannot be written", func(p *place) { p.limit(4) }, train, 1,
		"flow[2].arrow_cache: seed 0, frame 3: writing the cache: "},
	{"export that cannot be written", func(p *place) { p.limit(4) }, export, 1,
		"flow[3].export: seed 0, frame 3: DIR/out/seed_0000.arrow: file too large"},
	{"superres output that cannot be written", func(p *place) { p.limit(4) }, apply, 1,
		"flow[5].files_save: seed 0, frame 1: DIR/out/x.npy: file too large"},
	{"weights that cannot be written", func(p *place) { p.limit(4) }, weights, 1, "fmsr: out.safetensors: file too large"},
}

// noise matches what a user should never see.
var noise = regexp.MustCompile(`panic|goroutine |runtime error|what\(\)|Exception raised from|terminate called|signal arrived|\.(go|cc|cpp|cu):\d+|%!`)

// TestBadInput checks for each bad input that fmsr names it in one line, that the exit
// status tells whether work had begun, that no half-written file is left, and that
// existing files are unchanged.
func TestBadInput(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program once a row")
	}
	t.Parallel()
	whole := newPlace(t)
	t.Run("row", func(t *testing.T) {
		for _, row := range badInputs {
			t.Run(row.name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(progress(t.Name()))
				p := whole.copy(t)
				if row.spoil != nil {
					row.spoil(p)
				}
				row.test(p)
			})
		}
	})
}

// test runs the row in a place that has no other fault.
func (row badInput) test(p *place) {
	before, cmd := p.contents(), p.command(row.args)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		p.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != row.status {
		p.Errorf("exit status %d, want %d", got, row.status)
	}
	if found := noise.FindString(stdout.String() + stderr.String()); found != "" {
		p.Errorf("the output has %q", found)
	}
	after := p.contents()
	want := strings.ReplaceAll(row.want, "DIR", p.dir)
	if row.status == 0 {
		if stderr.Len() > 0 || !strings.Contains(stdout.String(), want) {
			p.Errorf("output\n%s%s\nwant %q", stdout.String(), stderr.String(), want)
		}
		for _, file := range []string{"metrics.jsonl", "checkpoint.pt"} {
			if after["out/"+file] != before["model/"+file] {
				p.Errorf("%s differs from the one made with nothing wrong", file)
			}
		}
	} else {
		row.wantErrors(p, stderr.String(), strings.Split(want, "\n"))
	}
	for name, data := range before {
		if after[name] != data && !(row.status == 0 && strings.HasPrefix(name, "cache/")) {
			p.Errorf("%s is changed", name)
		}
	}
	for _, name := range added(before, after) {
		if why := p.whyNotWhole(name, after[name]); why != "" {
			p.Errorf("it left %s: %s", name, why)
		}
		if row.status == 2 && after[name] != folder && !strings.HasPrefix(name, "cache/") {
			p.Errorf("it left %s, before work began", name)
		}
	}
}

// placedError matches a problem of a spec that starts with its place.
var placedError = regexp.MustCompile(`^\S+:\d+:\d+: `)

// wantErrors checks that stderr has one line for each wanted error, and that only the
// first starts with "fmsr: ", unless it starts with a place or a path of its own.
func (row badInput) wantErrors(p *place, stderr string, want []string) {
	got := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if last := len(got) - 1; row.status == 1 && strings.HasPrefix(got[last], "to resume: ") {
		got = got[:last]
	}
	ok := len(got) == len(want)
	for i := 0; ok && i < len(want); i++ {
		placed := placedError.MatchString(got[i]) || strings.HasPrefix(row.args, "verify ")
		flag := strings.HasPrefix(got[i], "fmsr: --")
		ok = strings.Contains(got[i], want[i]) && (placed || flag || strings.HasPrefix(got[i], "fmsr:") == (i == 0))
	}
	if !ok {
		p.Errorf("error\n%s\nwant\n%s", stderr, strings.Join(want, "\n"))
	}
}
