// Package guess finds out how the frames in a folder are laid out, so that npy_load can read
// them:
//
//	DIR --Look--> array files: paths, shapes   --name--> which parts of the paths are numbers and fields
//	                                           --axes--> the order of the axes
//	                                           --open--> Set: layout, form, seeds, frames, grid
//
// A guess is what npy_load itself could open. What was decided without knowing it is in
// Notes.
package guess
