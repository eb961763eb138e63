// Package runview reads what a run's folder says of the run, while it goes on and after it:
// for fmsr watch, fmsr ui and fmsr report. It needs the files alone, and never writes.
//
//	spec.yaml               Spec: every key, and differences between runs
//	run.json                About: data and machine
//	.fmsr.lock              State: running, by whom; else ended, or stopped at a step
//	metrics.jsonl           Curves, by name: new lines are read, a torn last line waits
//	timing.jsonl            Timing, the same
//	evaluations/STEP.json   Record: figures by field, their meaning, spectra; the verdict
//	images/NAME/STEP.png    Pictures, by name and step
//	physics.json            Physics: what superres measured, with its figures
//	checkpoint.pt           Checkpoint: its step
//
// The files may be anybody's: they are opened below the folder alone (os.Root), only regular
// files, up to a size, and errors name them.
package runview
