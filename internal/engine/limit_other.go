//go:build !linux

package engine

// limitMemory does nothing here: the WebAssembly memory limit and the garbage collector's remain.
func limitMemory(int64) error { return nil }
