// Package store is the shelf of files that appear whole, or not at all:
//
//	framecache   parts        caches of frames; results of each seed that survive a stop
//	     \       /   \
//	     seal   /     \       a checksum inside a JSON file
//	       \   /       \
//	     atomicfile ----'     a file written beside its place and renamed; room on the disk
package store
