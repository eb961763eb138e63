// Package physics measures what a made MHD field gets right: errors, bands of
// wavenumbers, increments, energies and stresses, constraints, and whether an ensemble
// is calibrated. docs/physics.md has every formula with its source.
//
//	Frame: truth, coarse (input), baselines, members    one at a time, in physical units
//	  |
//	  Tally  (suite.go: a list)   sums over the cells of a frame and field, or of fields together
//	  |
//	  +--> Metric: values of the frame's sums ----> Rows, for each member
//	  '--> sums over the frames of a run ---------> Rows, frame -1; Summary with intervals
//
//	metric.go      what a tally and a metric are
//	suite.go       the tallies and metrics that ship: the lists to add one to
//	layout.go      the grid: shells, bands, lags; planes and their modes
//	pointwise.go spectral.go increments.go mhd.go constraints.go ensemble.go   the tallies
//	results.go     sums by run, tally, fields and source; those of other frames merge
//	bootstrap.go   intervals, from runs drawn with replacement
//	plots.go       curves for a report
//
// Sums add up over cells, samples and frames, so that the results of shards merge. Values
// are ratios of sums. A value that does not exist, such as a coherence without power, is
// absent: no NaN leaves the package.
package physics
