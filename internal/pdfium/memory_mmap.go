//go:build linux || darwin

package pdfium

import (
	"golang.org/x/sys/unix"

	"github.com/tetratelabs/wazero/experimental"
)

// allocator gives each instance one reserved stretch of address space and makes it usable piece by
// piece. wazero's own memory copies everything whenever the module grows, which doubled the time per
// page of large documents.
func allocator() experimental.MemoryAllocator {
	return experimental.MemoryAllocatorFunc(func(_, limit uint64) experimental.LinearMemory {
		b, err := unix.Mmap(-1, 0, int(limit), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
		if err != nil {
			return &reserved{} // the first Reallocate fails and with it the instantiation
		}
		return &reserved{buf: b}
	})
}

// reserved is address space of which the first used bytes are readable and writable.
type reserved struct {
	buf  []byte
	used uint64
}

// Reallocate makes size bytes usable; nil when the reservation or the process's memory does not allow it.
func (m *reserved) Reallocate(size uint64) []byte {
	if size > uint64(len(m.buf)) {
		return nil
	}
	if size > m.used {
		end := min((size+wasmPage-1)&^(wasmPage-1), uint64(len(m.buf)))
		if err := unix.Mprotect(m.buf[m.used:end], unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return nil
		}
		m.used = end
	}
	return m.buf[:size:m.used]
}

// Free gives the address space back.
func (m *reserved) Free() {
	if m.buf != nil {
		_ = unix.Munmap(m.buf) // fails only for addresses that were never mapped
		m.buf = nil
	}
}
