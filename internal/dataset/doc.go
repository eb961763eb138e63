// Package dataset says where frames lie on disk, and which runs and splits they form.
//
//	what a user writes                 what is there                        what a stage reads
//	Layout  root, set, pattern, files  -- Find --> Files by seed    ------.
//	Selection  seeds, splits, split    -- Choose, Assign --> Assignment  ---> Seed (files, split, frame numbers)
//	                                                                             |
//	                                   Run: all seeds have its fields and grid --|
//	                                                                             v
//	                                   Arrays: the seed's open files        frames (1,H,W,C), with origin
//
// A seed is one simulation. Its frames lie in one array (F,H,W,C), or in one array
// (F,H,W) for each field. FindFiles serves the stages that read any npy files, without
// seeds. Package exportset holds the manifest of an exported set.
package dataset
