// Package store is the shelf of files that appear whole, or not at all:
//
//	atomicfile   a file is written beside its place, synced and renamed; room on the disk
//	seal         a checksum within a JSON file
//	parts        the results of each seed, so that work can be resumed and shared
//	framecache   the caches of arrow_cache: listing, locking and removing them
//
//	parts ------> seal, atomicfile
//	framecache -> seal
package store
