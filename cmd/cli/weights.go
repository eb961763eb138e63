package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fmsr.example/fmsr/internal/format/onnx"
	"fmsr.example/fmsr/internal/format/safetensors"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

func weightsCommand(out io.Writer) *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		GroupID: aboutFiles,
		Use:     "weights CHECKPOINT|RUN FILE.safetensors|FILE.onnx",
		Short:   "Export a checkpoint's network as safetensors or ONNX",
		Long: `weights writes the network's weights under their ADM names, or the whole network as an ONNX
model: velocity (N,C,H,W) of xt and x_lo (N,C,H,W) and t (N). The file's metadata has
channel_names, mean and std (JSON lists), step, weights and config (a JSON object), all as text.`,
		Example: `  fmsr weights runs/demo/checkpoint.pt demo.safetensors --weights raw
  fmsr weights runs/demo demo.onnx`,
		Args: usage(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error {
			if kind != "ema" && kind != "raw" {
				return &pipeline.InputError{Err: fmt.Errorf("--weights %q: want ema or raw", kind)}
			}
			if err := checkWeightsFile(args[1], args[0]); err != nil {
				return &pipeline.InputError{Err: err}
			}
			c, err := model.OpenCheckpoint(args[0])
			if err != nil {
				return &pipeline.InputError{Err: err}
			}
			defer c.Close()
			key, notice := c.StateKey(kind)
			if notice != "" {
				fmt.Fprintln(out, notice)
				kind = "raw"
			}
			weights, err := c.Weights(key)
			if err != nil {
				return &pipeline.InputError{Err: fmt.Errorf("%s: %w", args[0], err)}
			}
			metadata, err := describeWeights(c, kind)
			if err != nil {
				return &runFailed{error: err}
			}
			write := writeSafetensors
			if isONNX(args[1]) {
				write = c.WriteONNX
			}
			if err := writeWeights(args[1], func(w io.Writer) error { return write(w, weights, metadata) }); err != nil {
				return &runFailed{error: err}
			}
			fmt.Fprintf(out, "%s: %d tensors of step %d, %s weights\n", args[1], len(weights), c.Step, kind)
			return nil
		},
	}
	cmd.Flags().StringVar(&kind, "weights", "ema", "ema (the average) or raw")
	return cmd
}

// checkWeightsFile returns an error if writing path would replace the checkpoint, or
// another file that holds no weights.
func checkWeightsFile(path, checkpoint string) error {
	if runfolder.Same(path, checkpoint) {
		return fmt.Errorf("%s is the checkpoint itself: give another file for the weights", path)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil // there is none, or writing will say why not
	}
	if !info.Mode().IsRegular() || !safetensors.Is(path) && !onnx.Is(path) {
		return fmt.Errorf("%s is there, and holds no weights: give another file for them, or move it away", path)
	}
	return nil
}

// describeWeights returns the metadata that applying the weights needs.
func describeWeights(c *model.Loaded, kind string) (map[string]string, error) {
	metadata := map[string]string{"step": strconv.Itoa(c.Step), "weights": kind}
	config := map[string]any{
		"model_channels": c.Config.Channels, "channel_mult": c.Config.Mult, "periodic_padding": c.Config.Periodic,
		"base_dist": c.Flow.Base, "base_noise_scale": c.Flow.NoiseScale,
		"factor": c.Input.Factor, "periodic_input": c.Input.Periodic,
	}
	for _, key := range c.Unsaid { // the checkpoint does not say it
		delete(config, key)
	}
	if c.Config.Network != model.DefaultNetwork {
		config["network"] = c.Config.Network
	}
	if c.Flow.Objective != model.FlowMatching {
		config["objective"] = c.Flow.Objective.String()
	}
	if c.Flow.Objective == model.FlowMap {
		config["map_steps"], config["t_min"], config["t_max"] = c.Flow.Map.Most, c.Flow.Map.From, c.Flow.Map.To
	}
	if c.Flow.Measured != nil {
		config["base"] = c.Flow.Measured
	}
	for key, value := range map[string]any{"channel_names": c.Channels, "mean": c.Stats.Mean, "std": c.Stats.Std, "config": config} {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err) // NaN and Inf have no JSON
		}
		metadata[key] = string(text)
	}
	return metadata, nil
}

func isONNX(path string) bool { return strings.EqualFold(filepath.Ext(path), ".onnx") }

func writeSafetensors(w io.Writer, weights []model.Weight, metadata map[string]string) error {
	tensors := make([]safetensors.Tensor, len(weights))
	for i, w := range weights {
		tensors[i] = safetensors.Tensor{Name: w.Name, Shape: w.Shape, Read: w.Read}
	}
	return safetensors.Write(w, tensors, metadata)
}

func writeWeights(path string, write func(w io.Writer) error) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Commit()
}
