package model

import (
	"archive/zip"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
	"fmsr.example/fmsr/internal/torchx"
)

// FuzzCheckpoint: whatever the pickle beside the tensors of a checkpoint, an error or a
// checkpoint that can be applied and that a trainer of its shape can resume.
func FuzzCheckpoint(f *testing.F) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		f.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 1, Channels: 2, Mult: []int{1}}, Hyper{Flow: flow})
	if err != nil {
		f.Fatal(err)
	}
	defer trainer.Close()
	pickle, tensors := smallCheckpoint(f, trainer)
	f.Add(pickle)
	f.Add(bytes.ReplaceAll(pickle, []byte("factorJ\x02\x00\x00\x00"), []byte("factorJ\x02\x00\x00\x70")))
	f.Add(bytes.ReplaceAll(pickle, []byte("stepJ\x01\x00\x00\x00"), []byte("stepJ\x01\x00\x00\xff")))
	f.Add(bytes.ReplaceAll(pickle, []byte("input_blocks.1"), []byte("input_blocks.x"))) // of no level
	f.Fuzz(func(t *testing.T, pickle []byte) {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		if err := os.WriteFile(path, withPickle(t, pickle, tensors), 0o644); err != nil {
			t.Fatal(err)
		}
		fuzzlimit.Run(t, len(pickle), func() {
			l, err := OpenCheckpoint(path)
			if err != nil {
				return
			}
			defer l.Close()
			if l.Step < 0 || l.Input.Factor < 2 || l.Input.Factor > mostFactor {
				t.Errorf("step %d, factor %d", l.Step, l.Input.Factor)
			}
			if l.Inputs != nil {
				l.Inputs.Differences(l.Channels, l.Inputs.High)
			}
			for _, key := range []string{"model_state_dict", "ema_state_dict"} {
				err := thread.Do(ctx, func(s *torchx.Scope) error {
					net, err := l.Net(s, key, torchx.CPU)
					if err == nil {
						net.Free()
					}
					return err
				})
				wantNoPanic(t, err)
			}
			wantNoPanic(t, trainer.Restore(ctx, l))
		})
	})
}

// wantNoPanic: on the torch thread a panic becomes an error.
func wantNoPanic(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.HasPrefix(err.Error(), "panic") {
		t.Error(err)
	}
}

// smallCheckpoint is the pickle of a trainer's checkpoint, in which average and
// moments are the weights' tensors, and the zip's other records.
func smallCheckpoint(f *testing.F, trainer *Trainer) (pickle []byte, tensors map[string][]byte) {
	f.Helper()
	look := []Look{{Std: 1, Shares: []float64{0.5}}}
	in := Inputs{Frames: 1, Std: []float64{1}, Low: look, High: look}
	var file bytes.Buffer
	snapshot, err := trainer.Snapshot(context.Background(), Checkpoint{
		Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2, Periodic: true}, Inputs: &in, Averaged: true,
	})
	if err != nil {
		f.Fatal(err)
	}
	defer snapshot.Close()
	small := slices.DeleteFunc(snapshot.root, func(e torchfile.Entry) bool { return e.Key == "ema_state_dict" || e.Key == "optimizer_state" })
	if err := torchfile.Write(&file, small); err != nil {
		f.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		f.Fatal(err)
	}
	tensors = records(f, z)
	pickle = tensors["checkpoint/data.pkl"]
	delete(tensors, "checkpoint/data.pkl")
	pickle = bytes.Replace(pickle, []byte("model_state_dict}"), []byte("model_state_dict}q\x07"), 1) // into the memo
	pickle = bytes.TrimSuffix(pickle, []byte("u."))
	for _, s := range []string{"ema_state_dict", "h\x07", "optimizer_state", "}(", "exp_avg", "h\x07", "exp_avg_sq", "h\x07", "uu."} {
		if strings.Contains(s, "_") { // a key
			s = "\x8c" + string([]byte{byte(len(s))}) + s
		}
		pickle = append(pickle, s...)
	}
	return pickle, tensors
}

// records are those of a checkpoint's zip.
func records(t testing.TB, z *zip.Reader) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, record := range z.File {
		r, err := record.Open()
		if err != nil {
			t.Fatal(err)
		}
		if all[record.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// withPickle is a checkpoint of that pickle and those records.
func withPickle(t *testing.T, pickle []byte, records map[string][]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	put := func(name string, data []byte) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	put("checkpoint/data.pkl", pickle)
	for name, data := range records {
		put(name, data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}
