// Package dataset finds frames on disk, and their runs and splits.
//
//	what a user writes                 what is there                        what a stage reads
//	Layout  root, set, pattern, files  -- Find --> Files by seed    ------.
//	Runs, View  of AthenaK             -- Find, RunFiles --> the same  ---|
//	Selection  seeds, splits, split    -- Choose, Assign --> Assignment  ---> Seed (files, split, frame numbers)
//	                                                                             |
//	                                   Run: all seeds have its fields and grid --|
//	                                                                             v
//	                                   Arrays: the seed's open files        frames (1,H,W,C), with origin
//
// A seed is one simulation. Its frames are in one array (F,H,W,C), or in one array
// (F,H,W) for each field, or in files of AthenaK's for each frame. FindFiles and Input serve
// the stages that read files without seeds. Package exportset holds the manifest of an
// exported set.
package dataset
