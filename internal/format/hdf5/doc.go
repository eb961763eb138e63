// Package hdf5 reads fields from HDF5 files, and writes them in The Well's layout:
//
//	The Well   t0_fields, t1_fields, t2_fields: (trajectories, time, x, y, components...)   well.go, written by write.go
//	athdf      MeshBlocks of Athena++, a frame a file                                       athdf.go
//	others     a dataset for each field, or one that is named by its path                   plain.go
//
// It calls libhdf5, which library.go loads when the first file is opened. The library comes
// with h5py, or from the system; a user who has no HDF5 file needs none. It reads what it
// wrote itself: chunks, compression, byte orders and types are its business.
package hdf5
