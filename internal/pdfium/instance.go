package pdfium

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf16"

	"github.com/tetratelabs/wazero/api"
)

// instance is one running PDFium: a module with its memory. It is not safe for concurrent use.
//
// The first failed call (a trap: out of memory, or a bug in PDFium) makes the instance unusable: err
// keeps the cause, and every later call does nothing and gives 0. So callers may run through a
// sequence of calls and look at err once at its end; loops must be bounded by counts, not by results.
type instance struct {
	mod   api.Module
	mem   api.Memory
	fns   [numFunctions]api.Function
	stack [16]uint64
	err   error

	// scratch is the address of a block in the module's memory for output parameters.
	scratch uint32
	chars   charList // of the page at hand, reused from page to page and file to file

	readers map[uint32]io.ReaderAt
	writers map[uint32]io.Writer
	readErr error // first failed read of a file, for the log
	nextID  uint32
}

// scratchSize suffices for every fixed-size output parameter and most strings.
const scratchSize = 4096

// errOutOfMemory is recorded when PDFium's malloc gives nothing.
var errOutOfMemory = errors.New("pdfium: out of memory")

// newInstance looks up the functions and initialises the library.
func newInstance(mod api.Module) (*instance, error) {
	i := &instance{
		mod: mod, mem: mod.Memory(),
		readers: make(map[uint32]io.ReaderAt), writers: make(map[uint32]io.Writer),
	}
	for n, name := range functionNames {
		f := mod.ExportedFunction(name)
		if f == nil {
			return nil, fmt.Errorf("pdfium: module lacks %s", name)
		}
		i.fns[n] = f
	}
	i.call(fnInitLibrary)
	i.scratch = i.alloc(scratchSize)
	return i, i.err
}

// call runs one PDFium function. Floating-point arguments come as api.EncodeF32/F64.
func (i *instance) call(f function, args ...uint64) uint64 {
	if i.err != nil {
		return 0
	}
	copy(i.stack[:], args)
	// The background context is deliberate: wazero searches the context's values on every call, and a
	// running call cannot be cancelled anyway; deadlines kill the process.
	if err := i.fns[f].CallWithStack(context.Background(), i.stack[:]); err != nil {
		i.err = fmt.Errorf("pdfium: %s: %w", functionNames[f], err)
		return 0
	}
	return i.stack[0]
}

// ptr is call for functions that return a handle.
func (i *instance) ptr(f function, args ...uint64) uint64 { return uint64(uint32(i.call(f, args...))) }

// num is call for functions that return an int.
func (i *instance) num(f function, args ...uint64) int { return int(int32(i.call(f, args...))) }

// ok is call for functions that return a boolean.
func (i *instance) ok(f function, args ...uint64) bool { return uint32(i.call(f, args...)) != 0 }

// alloc gives the address of n bytes of module memory, 0 when there is none left. Give them back with free.
func (i *instance) alloc(n int) uint32 {
	p := uint32(i.call(fnMalloc, uint64(n)))
	if p == 0 && i.err == nil {
		i.err = errOutOfMemory
	}
	return p
}

func (i *instance) free(p uint32) {
	if p != 0 {
		i.call(fnFree, uint64(p))
	}
}

// read is a view of n bytes of module memory, valid until the next call. Always n bytes long.
func (i *instance) read(p uint32, n int) []byte {
	b, ok := i.mem.Read(p, uint32(n))
	if !ok {
		if i.err == nil {
			i.err = fmt.Errorf("pdfium: address %#x out of range", p)
		}
		return make([]byte, n)
	}
	return b
}

// out is a view of n bytes of the scratch block at offset off.
func (i *instance) out(off, n int) []byte { return i.read(i.scratch+uint32(off), n) }

// at is the address of the scratch block's byte off, as an argument.
func (i *instance) at(off uint32) uint64 { return uint64(i.scratch + off) }

// cstring puts s into module memory with a closing NUL.
func (i *instance) cstring(s string) uint32 {
	p := i.alloc(len(s) + 1)
	if p != 0 {
		copy(i.read(p, len(s)+1), s+"\x00")
	}
	return p
}

// bytes calls a function of PDFium's usual string kind: last two arguments buffer and its length,
// result the length needed. The copy that it gives includes any closing NUL.
func (i *instance) bytes(f function, args ...uint64) []byte {
	var a [6]uint64
	n := copy(a[:], args)
	a[n], a[n+1] = i.at(0), scratchSize
	size := i.num(f, a[:n+2]...)
	if size <= 0 || size > maxString {
		return nil
	}
	if size <= scratchSize {
		return append([]byte(nil), i.out(0, size)...)
	}
	p := i.alloc(size)
	defer i.free(p)
	a[n], a[n+1] = uint64(p), uint64(size)
	if i.num(f, a[:n+2]...) != size {
		return nil
	}
	return append([]byte(nil), i.read(p, size)...)
}

// maxString bounds the strings taken from a file, in bytes.
const maxString = 1 << 20

// text8 is bytes for strings of 8-bit characters.
func (i *instance) text8(f function, args ...uint64) string {
	b := i.bytes(f, args...)
	if n := len(b); n > 0 && b[n-1] == 0 {
		b = b[:n-1]
	}
	return string(b)
}

// text16 is bytes for UTF-16LE strings.
func (i *instance) text16(f function, args ...uint64) string { return utf16LE(i.bytes(f, args...)) }

// utf16LE decodes a string up to its closing NUL.
func utf16LE(b []byte) string {
	u := make([]uint16, 0, len(b)/2)
	for k := 0; k+1 < len(b); k += 2 {
		c := binary.LittleEndian.Uint16(b[k:])
		if c == 0 {
			break
		}
		u = append(u, c)
	}
	return string(utf16.Decode(u))
}

// f32 and f64 decode an output parameter; u32 an int or handle.
func f32(b []byte) float64 {
	return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
}

func f64(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }

func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// errClosed marks an instance that was given up: its Runtime closed or replaced it.
var errClosed = errors.New("pdfium: instance closed")

// abandon makes every later call do nothing.
func (i *instance) abandon() {
	if i.err == nil {
		i.err = errClosed
	}
	clear(i.readers)
	clear(i.writers)
}
