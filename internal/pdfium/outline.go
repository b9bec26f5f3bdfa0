package pdfium

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/tetratelabs/wazero"
)

// Compiled code comes from the cache in 20 ms, but wazero decodes, validates and hashes the whole module before it
// looks there, which takes three times as long: more than converting a page, at the start of every child. What is
// needed of the module besides its compiled code are types, imports, exports, memory and data. Therefore there are
// two caches: one with PDFium as it is, and one in which the same compiled code belongs to an outline of it, a module
// whose functions have no bodies to be validated.
//
// This relies on wazero's cache knowing nothing of bodies. Where that is not so, or the cache of the outline is not what
// it should be (another processor, another wazero), wazero compiles the outline itself: a module whose every function
// traps, the one that starts PDFium among them. The start fails then, and PDFium as it is is used instead.

// beginCached starts an instance, with the caches below dir, whose lock the caller holds.
func (r *Runtime) beginCached(ctx context.Context, rc wazero.RuntimeConfig, dir string, module []byte) error {
	outline, err := outlineOf(module)
	if err != nil {
		return err
	}
	whole, fast := filepath.Join(dir, "module-"+fingerprint(module)), filepath.Join(dir, "outline-"+fingerprint(module))
	if _, err := os.Stat(fast); err == nil {
		if err := r.begin(ctx, rc, fast, outline); err == nil {
			return nil
		}
		if err := os.RemoveAll(fast); err != nil {
			return err
		}
	}
	if err := r.begin(ctx, rc, whole, module); err != nil {
		return err
	}
	_ = keepOutline(ctx, rc, whole, fast, outline) // a failure costs time at the next start, and nothing else
	return nil
}

// fingerprint tells compiled code from that of other versions of the module, as the same outline may belong to different
// bodies, and of other compilers: wazero takes none but its own version's, and a test has another than a built program.
func fingerprint(module []byte) string {
	return fmt.Sprintf("%08x-%d-%s-%s", crc32.Checksum(module, crc32.MakeTable(crc32.Castagnoli)), len(module), wazeroVersion(), runtime.GOARCH)
}

// wazeroVersion is the version of wazero that the build names; "dev", as in wazero, where it names none, as in tests.
func wazeroVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				return dep.Version
			}
		}
	}
	return "dev"
}

// keepOutline makes the cache fast: the compiled code that is in the cache whole, for the outline.
func keepOutline(ctx context.Context, rc wazero.RuntimeConfig, whole, fast string, outline []byte) error {
	code, err := cachedFile(whole)
	if err != nil {
		return err // code for more than one processor: which is ours cannot be told
	}
	temp := fast + ".new"
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	// wazero alone knows the name of the file: it makes one, which is replaced.
	var r Runtime
	if err := errors.Join(r.compile(ctx, rc, temp, outline), r.Close()); err != nil {
		return err
	}
	name, err := cachedFile(temp)
	if err != nil {
		return err
	}
	if err := os.Remove(name); err != nil {
		return err
	}
	if err := os.Link(code, name); err != nil { // not every file system has links
		data, err := os.ReadFile(code)
		if err := errors.Join(err, os.WriteFile(name, data, 0o600)); err != nil {
			return err
		}
	}
	return os.Rename(temp, fast)
}

// cachedFile is the only compiled module in a cache of wazero.
func cachedFile(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("%d compiled modules in %s: %w", len(files), dir, err)
	}
	return files[0], nil
}

// errTruncated is the error for bytes that are no whole module.
var errTruncated = errors.New("the WebAssembly module is cut short")

// outlineOf gives a module with the types, functions, memory and data of module in which the body of every function is
// "unreachable", which is valid for any type.
func outlineOf(module []byte) ([]byte, error) {
	const header, codeSection = 8, 10 // bytes of magic number and version; the id of the section of bodies
	trap := []byte{3, 0, 0x00, 0x0B}  // three bytes: no local variables, unreachable, end
	if len(module) < header {
		return nil, errTruncated
	}
	out := append(make([]byte, 0, len(module)/2), module[:header]...)
	for rest := module[header:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return nil, errTruncated
		}
		end := 1 + n + int(size)
		if id != codeSection {
			out, rest = append(out, rest[:end]...), rest[end:]
			continue
		}
		functions, k := binary.Uvarint(rest[1+n : end])
		if k <= 0 || functions > size {
			return nil, errTruncated
		}
		bodies := binary.AppendUvarint(nil, functions)
		for range functions {
			bodies = append(bodies, trap...)
		}
		out = append(binary.AppendUvarint(append(out, id), uint64(len(bodies))), bodies...)
		rest = rest[end:]
	}
	return out, nil
}
