// Package evaluate compares samples with the truth. It knows nothing of specs,
// stages, networks or libtorch: planes in physical units come in, figures and
// pictures come out.
//
//	truth (N,C,H,W)    --Start-.                         .-> Figures: scalars, tables, comparison.json
//	made by a Source   --Add---+--> Comparison: Results -+
//	Ensemble of it     --Add---'     (sums that merge)   '-> Pictures: samples, diffs, spectra
//
//	standard.go    the metrics that ship: the list to add one to
//	metric.go      what a metric is
//	source.go      the sources of fields: baselines, samples, the mean of an ensemble
//	results.go     sums by source and field; those of other frames or ranks merge
//	figures.go     the metrics' values, for every outlet
//	figure.go      numbers on their way to JSON, finite or null
//
// Package physics below measures more, for reports: it has a list of its own, and values
// by band, lag and member. Training logs do not have them.
//
// A metric is one entry of a Suite: a name, a unit, a sentence, what to sum up over
// frames, and a value. metrics.jsonl, TensorBoard, W&B, the report, printed tables
// and comparison.json all read the list.
package evaluate
