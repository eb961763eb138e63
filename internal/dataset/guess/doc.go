// Package guess finds out how the frames in a folder are laid out, so that npy_load or
// athena_load can read them:
//
//	DIR --Look--> array files: paths, shapes   --name--> which parts of the paths are numbers and fields
//	                                           --axes--> the order of the axes
//	                                           --open--> Set: layout, form, seeds, frames, grid
//
// Run folders of AthenaK are told apart by their names; the files say the rest. A guess is
// what the stage itself could open. What was decided without knowing it is in
// Notes.
package guess
