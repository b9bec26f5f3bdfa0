// Package pdfium reads PDF files with PDFium, compiled to WebAssembly and run by wazero: memory-safe,
// without access to the host's files, network or environment. It gives page contents in the terms of
// package document, renders pages and removes encryption.
//
// Nothing here can interrupt a running PDFium call. A caller that needs a deadline runs the package in a
// process of its own and kills it (see package engine).
package pdfium

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/ragify/ragify/internal/fault"
)

// wasmPage is WebAssembly's unit of memory in bytes.
const wasmPage = 1 << 16

// DefaultMemoryLimit is the module memory that Config.MemoryLimit == 0 means, in bytes. Ordinary
// documents need 20 to 60 MB; pages with huge images a few hundred.
const DefaultMemoryLimit = 768 << 20

// minMemoryLimit is what the module needs to start, in bytes (289 pages), with room to load anything.
const minMemoryLimit = 32 << 20

// recycleAbove is the module memory in bytes from which an instance is replaced when its file is
// closed: WebAssembly memory never shrinks, and a new instance costs a few milliseconds.
const recycleAbove = 96 << 20

// Config says how to run PDFium.
type Config struct {
	// CacheDir keeps the compiled module between processes; made with mode 0700 when missing. It holds
	// machine code that is executed, so a directory that other users can write to is refused. Empty: no
	// cache, every New compiles (some seconds).
	CacheDir string
	// MemoryLimit bounds the module's memory in bytes. 0 means DefaultMemoryLimit.
	MemoryLimit int64
}

// Runtime is a compiled PDFium with one running instance. It is not safe for concurrent use.
type Runtime struct {
	rt     wazero.Runtime
	cache  wazero.CompilationCache
	module wazero.CompiledModule
	inst   *instance // nil until the next Open needs one
}

// New compiles PDFium, or loads it compiled from the cache directory, and starts an instance.
func New(ctx context.Context, c Config) (_ *Runtime, err error) {
	defer fault.Op(&err, "pdfium.New(%s)", c.CacheDir)
	if c.MemoryLimit == 0 {
		c.MemoryLimit = DefaultMemoryLimit
	}
	if c.MemoryLimit < minMemoryLimit || c.MemoryLimit > 2<<30 {
		return nil, fmt.Errorf("memory limit %d is not between %d and %d bytes", c.MemoryLimit, minMemoryLimit, 2<<30)
	}
	r := &Runtime{}
	// PDFium's setjmp and longjmp are WebAssembly exceptions.
	rc := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(uint32(c.MemoryLimit / wasmPage))
	if c.CacheDir == "" {
		return r, r.begin(ctx, rc, "", wasm)
	}
	lock, err := prepareCache(c.CacheDir)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	return r, r.beginCached(ctx, rc, c.CacheDir, wasm)
}

// begin compiles a module, or takes it from the cache in a directory, and starts an instance.
func (r *Runtime) begin(ctx context.Context, rc wazero.RuntimeConfig, cacheDir string, module []byte) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err = r.compile(ctx, rc, cacheDir, module); err != nil {
		return err
	}
	if _, err = wasi_snapshot_preview1.Instantiate(ctx, r.rt); err != nil {
		return err
	}
	if err = r.instantiateHost(ctx); err != nil {
		return err
	}
	_, err = r.instance()
	return err
}

// compile makes the runtime and compiles the module or takes it from the cache.
func (r *Runtime) compile(ctx context.Context, rc wazero.RuntimeConfig, cacheDir string, module []byte) (err error) {
	if cacheDir != "" {
		if r.cache, err = wazero.NewCompilationCacheWithDir(cacheDir); err != nil {
			return err
		}
		rc = rc.WithCompilationCache(r.cache)
	}
	r.rt = wazero.NewRuntimeWithConfig(ctx, rc)
	ctx = experimental.WithCompilationWorkers(ctx, runtime.GOMAXPROCS(0))
	r.module, err = r.rt.CompileModule(ctx, module)
	if err != nil && cacheDir != "" {
		// Most likely what the cache holds is damaged: the disk was full, or the machine went down.
		if err := emptyCache(cacheDir); err != nil {
			return err
		}
		r.module, err = r.rt.CompileModule(ctx, module)
	}
	return err
}

// emptyCache removes the compiled modules from a cache directory, for which the caller holds the lock.
func emptyCache(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	return err
}

// prepareCache makes the directory and takes the lock that lets one process compile while the others
// wait for its result.
func prepareCache(dir string) (*fileLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	if !trusted(info) {
		return nil, fmt.Errorf("cache directory %s (mode %o) is not ours alone to write: refusing to run code from it", dir, info.Mode().Perm())
	}
	return lockFile(filepath.Join(dir, "lock"))
}

// instance gives the running instance, a new one when there is none or the last one broke.
func (r *Runtime) instance() (*instance, error) {
	if r.inst != nil && r.inst.err == nil {
		return r.inst, nil
	}
	if err := r.discard(); err != nil {
		return nil, err
	}
	// No file system, no environment, no arguments, no output, a deterministic clock.
	mc := wazero.NewModuleConfig().WithStartFunctions("_initialize").WithName("").WithFSConfig(wazero.NewFSConfig())
	ctx := context.Background()
	if a := allocator(); a != nil {
		ctx = experimental.WithMemoryAllocator(ctx, a)
	}
	mod, err := r.rt.InstantiateModule(ctx, r.module, mc)
	if err != nil {
		return nil, err
	}
	inst, err := newInstance(mod)
	if err != nil {
		return nil, errors.Join(err, mod.Close(ctx))
	}
	r.inst = inst
	return inst, nil
}

// discard ends the running instance, if any.
func (r *Runtime) discard() error {
	if r.inst == nil {
		return nil
	}
	mod := r.inst.mod
	r.inst.abandon()
	r.inst = nil
	return mod.Close(context.Background())
}

// Broken reports whether PDFium has crashed or run out of memory since the last Open. The file that
// was open is lost; the next Open starts with a fresh instance.
func (r *Runtime) Broken() bool { return r.inst != nil && r.inst.err != nil }

// Close frees everything. Open files become unusable.
func (r *Runtime) Close() error {
	err := r.discard()
	if r.rt != nil {
		err = errors.Join(err, r.rt.Close(context.Background()))
		r.rt = nil
	}
	if r.cache != nil {
		err = errors.Join(err, r.cache.Close(context.Background()))
		r.cache = nil
	}
	return err
}

// instantiateHost provides the functions that the module imports from "env": reading and writing files
// are ours; every other callback belongs to PDFium features that are never set up (forms, JavaScript,
// progressive loading), so it does nothing and answers zero.
func (r *Runtime) instantiateHost(ctx context.Context) error {
	b := r.rt.NewHostModuleBuilder("env")
	for _, def := range r.module.ImportedFunctions() {
		module, name, _ := def.Import()
		if module != "env" {
			continue
		}
		f := api.GoModuleFunc(func(_ context.Context, _ api.Module, stack []uint64) { clear(stack) })
		switch name {
		case "FPDF_FILEACCESS_CB":
			f = r.readFile
		case "FPDF_FILEWRITE_CB":
			f = r.writeFile
		}
		b.NewFunctionBuilder().WithGoModuleFunction(f, def.ParamTypes(), def.ResultTypes()).Export(name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// readFile answers PDFium's request for part of a file: (file id, position, buffer, size) -> 0 on failure.
func (r *Runtime) readFile(_ context.Context, mod api.Module, stack []uint64) {
	id, position, address, size := uint32(stack[0]), int64(uint32(stack[1])), uint32(stack[2]), uint32(stack[3])
	stack[0] = 0
	src := r.inst.readers[id]
	buf, ok := mod.Memory().Read(address, size)
	if src == nil || !ok {
		return
	}
	if n, err := src.ReadAt(buf, position); n < len(buf) {
		if err != nil && !errors.Is(err, io.EOF) && r.inst.readErr == nil {
			r.inst.readErr = err
		}
		return
	}
	stack[0] = 1
}

// writeFile takes a piece of a saved file: (file address, data, size) -> 0 on failure.
func (r *Runtime) writeFile(_ context.Context, mod api.Module, stack []uint64) {
	w := r.inst.writers[uint32(stack[0])]
	buf, ok := mod.Memory().Read(uint32(stack[1]), uint32(stack[2]))
	stack[0] = 0
	if w == nil || !ok {
		return
	}
	if _, err := w.Write(buf); err == nil {
		stack[0] = 1
	}
}
