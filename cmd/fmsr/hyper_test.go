package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/pipeline"
)

// hyperparameters lists the original trainer's and fmsr's own: flag, key, default,
// and a value that gives another result.
var hyperparameters = []struct{ flag, key, preset, other string }{
	{"batch-size", "batch.size", "4", "3"},
	{"lr", "train.lr", "0.0002", "1e-3"},
	{"weight-decay", "train.weight_decay", "0", "0.5"},
	{"total-steps", "train.total_steps", "50000", "4"},
	{"print-every", "train.print_every", "100", "1"},
	{"log-every", "eval.log_every", "100", "2"},
	{"sample-steps", "eval.sample_steps", "100", "3"},
	{"base-dist", "train.base_dist", "x_lo_plus_noise", "gaussian"},
	{"base-noise-scale", "train.base_noise_scale", "0.1", "0.2"},
	{"t-min-train", "train.t_min", "0.0001", "0.3"},
	{"t-max-train", "train.t_max", "0.9999", "0.7"},
	{"t-min-sample", "eval.t_min", "0.0001", "0.1"},
	{"t-max-sample", "eval.t_max", "0.9999", "0.9"},
	{"loss-scale", "train.loss_scale", "100", "1"},
	{"grad-clip", "train.grad_clip", "1", "1e3"},
	{"ema-decay", "ema.decay", "0.9999", "0.5"},
	{"warmup-steps", "train.warmup_steps", "10000", "3"},
	{"bf16", "train.use_bf16", "true", "false"},
	{"sde-delta", "eval.sde_delta", "0", "0.2"},
	{"sde-schedule", "eval.sde_schedule", "constant", "quadratic"},
	{"solver", "eval.solver", "euler", "heun"},
	{"overfit", "run.overfit", "true", "true"},
	{"channels", "channel_select.channels", "[velx]", "velx,jz"},
	{"model-channels", "train.model_channels", "128", "8"},
	{"channel-mult", "train.channel_mult", "[1 2 2 2]", "1,2"},
	{"padding", "train.padding", "zeros", "periodic"},
	{"ema-ramp", "ema.ramp", "none", "linear"},
	{"accumulate", "train.accumulate", "1", "2"},
	{"t-dist", "train.t_dist", "uniform", "stratified"},
	{"objective", "train.objective", "flow", "crps"},
	{"loss-parts", "train.loss_parts", "false", "true"},
	{"symmetries", "train.symmetries", "[]", "reflect_x"},
	{"seed", "run.seed", "0", "1"},
}

// resolved returns the value of each key of a spec with its overrides applied.
func resolved(t *testing.T, path string, overrides ...pipeline.Override) map[string]any {
	t.Helper()
	spec, err := loadSpec(path, overrides)
	if err != nil {
		t.Fatal(err)
	}
	var tree struct {
		Run  map[string]any
		Flow []map[string]map[string]any
	}
	if err := yaml.Unmarshal(spec.YAML(), &tree); err != nil {
		t.Fatal(err)
	}
	keys := map[string]any{}
	for key, v := range tree.Run {
		keys["run."+key] = v
	}
	for _, stage := range tree.Flow {
		for name, config := range stage {
			for key, v := range config {
				keys[name+"."+key] = v
			}
		}
	}
	return keys
}

// TestHyperparameterDefaults checks that specs/overfit.yaml has the original's
// defaults but for base_dist, that fmsr's own keys do not change it, that specs/full.yaml
// differs from it by two flags only, and that the original's base_dist is the key's default.
func TestHyperparameterDefaults(t *testing.T) {
	keys := resolved(t, "specs/overfit.yaml")
	for _, h := range hyperparameters {
		want := h.preset
		if h.key == "train.base_dist" {
			want = "learned"
			if got := resolved(t, filepath.Join(tinyData(t), "tiny.yaml"))[h.key]; got != h.preset {
				t.Errorf("%s is %s in a spec that does not name it, want %s", h.key, got, h.preset)
			}
		}
		if got := fmt.Sprint(keys[h.key]); got != want {
			t.Errorf("%s is %s, want %s", h.key, got, want)
		}
	}
	full := resolved(t, "specs/overfit.yaml",
		pipeline.Override{Path: "channel_select.channels", Value: "density,velx,vely,velz,Bx,By,Bz,jz"}, pipeline.Override{Path: "run.overfit", Value: "false"})
	shipped := resolved(t, "specs/full.yaml")
	for _, h := range hyperparameters {
		if got, want := fmt.Sprint(shipped[h.key]), fmt.Sprint(full[h.key]); got != want {
			t.Errorf("specs/full.yaml: %s is %s, want %s", h.key, got, want)
		}
	}
}

const tinySpec = `
version: 1
run: {name: tiny, overfit: false, threads: 1}
flow:
  - npy_load: {set: set}
  - channel_select: {channels: [velx]}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 2}
  - train: {model_channels: 4, channel_mult: [1, 1], total_steps: 3, warmup_steps: 0}
  - ema:
  - eval: {log_every: 3, sample_steps: 2, linear: false, sde_delta: 0.1, sde_schedule: matched}
  - metrics:
`

// tinyRun runs the program on tinyData's frames and returns its metrics and the run's
// folder.
func tinyRun(t *testing.T, dir string, args ...string) (metrics, run string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	run = t.TempDir()
	args = append([]string{"run", filepath.Join(dir, "tiny.yaml"), "--data-root", dir, "--out", run}, args...)
	if status := execute(args, &stdout, &stderr); status != 0 {
		t.Fatalf("%v: status %d: %s", args, status, stderr.String())
	}
	data, err := os.ReadFile(filepath.Join(run, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data), run
}

// tinyData writes three seeds of small frames and tiny.yaml, and returns their folder.
func tinyData(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	dir := t.TempDir()
	for seed := range 3 {
		values := make([]float32, 4*8*8*8)
		for i := range values {
			values[i] = float32(math.Sin(float64(i*(seed+3))/7) + 2)
		}
		path := filepath.Join(dir, "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := npy.WriteFile(path, []int{4, 8, 8, 8}, values); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "tiny.yaml"), []byte(tinySpec), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestHyperparameterEffects checks that every flag changes the metrics, except bf16 on a
// processor without instructions for it, and that a flag equals --set KEY.
func TestHyperparameterEffects(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains once for each hyperparameter")
	}
	dir := tinyData(t)
	base, _ := tinyRun(t, dir)
	if again, _ := tinyRun(t, dir); again != base {
		t.Fatal("the same training gave other metrics")
	}
	for _, h := range hyperparameters {
		t.Run(h.flag, func(t *testing.T) {
			t.Cleanup(progress(t.Name()))
			flag := []string{"--" + h.flag, h.other}
			switch h.other { // a switch takes no value
			case "true":
				flag = []string{"--" + h.flag}
			case "false":
				flag = []string{"--no-" + h.flag}
			}
			got, run := tinyRun(t, dir, flag...)
			if unused := h.flag == "bf16" && !torchx.CPU.HasBF16(); unused != (got == base) {
				t.Errorf("%v changed the metrics: %v", flag, got != base)
			}
			value := h.other
			if strings.Contains(value, ",") {
				value = "[" + value + "]"
			}
			set := resolved(t, filepath.Join(dir, "tiny.yaml"), pipeline.Override{Path: h.key, Value: value})[h.key]
			if used := resolved(t, filepath.Join(run, "spec.yaml"))[h.key]; !reflect.DeepEqual(used, set) {
				t.Errorf("%v gives %v, --set %s=%s %v", flag, used, h.key, value, set)
			}
		})
	}
}
