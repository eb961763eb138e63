// Package evaluate judges samples against the truth. It knows nothing of specs,
// stages or networks: fields come in as planes in physical units, and figures and
// pictures come out.
//
//	truth (N,C,H,W)   --Start-.                         .-> Figures -> scalars, tables, comparison.json
//	made by a Source  --Add---+--> Comparison: Results -+
//	Ensemble of it    --Add---'       (they merge)      '-> Pictures: samples, diffs, spectra
//
// A metric is one entry of a Suite: a name, a unit, a sentence, what it sums up
// over frames and its value (standard.go lists those that ship). Every outlet
// reads the list, so a new entry shows in metrics.jsonl, TensorBoard, W&B, the
// report and comparison.json. Results are sums by source and field, as plain
// data: those of other frames, or of another rank, are merged, and values are
// computed at the end.
package evaluate
