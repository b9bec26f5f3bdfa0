//go:build !linux && !darwin

package pdfium

import "github.com/tetratelabs/wazero/experimental"

// allocator leaves the memory to wazero: growing copies, which costs time but works everywhere.
func allocator() experimental.MemoryAllocator { return nil }
