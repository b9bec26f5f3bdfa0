package pdfium

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func TestOutlineOf(t *testing.T) {
	// Two functions, () -> () and () -> i32, with bodies; the second one is exported as "f".
	module := []byte("\x00asm\x01\x00\x00\x00\x01\x08\x02\x60\x00\x00\x60\x00\x01\x7f\x03\x03\x02\x00\x01\x07\x05\x01\x01f\x00\x01\x0a\x09\x02\x02\x00\x0b\x04\x00\x41\x2a\x0b")
	t.Run("keeps everything but the bodies", func(t *testing.T) {
		want := []byte("\x00asm\x01\x00\x00\x00\x01\x08\x02\x60\x00\x00\x60\x00\x01\x7f\x03\x03\x02\x00\x01\x07\x05\x01\x01f\x00\x01\x0a\x09\x02\x03\x00\x00\x0b\x03\x00\x00\x0b")
		if got, err := outlineOf(module); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v, want %x", got, err, want)
		}
	})
	t.Run("is valid for any types of functions, and traps", func(t *testing.T) {
		outline, err := outlineOf(module)
		if err != nil {
			t.Fatal(err)
		}
		rt := wazero.NewRuntime(t.Context())
		defer func() { _ = rt.Close(context.Background()) }()
		m, err := rt.Instantiate(t.Context(), outline)
		if err != nil {
			t.Fatal(err)
		}
		if result, err := m.ExportedFunction("f").Call(t.Context()); err == nil {
			t.Errorf("a body is left: it gives %v", result)
		}
	})
	t.Run("no part of a module has an outline", func(t *testing.T) {
		for n := range len(module) {
			if got, err := outlineOf(module[:n]); err == nil && !sectionsEnd(n) {
				t.Errorf("%d bytes: %x", n, got)
			}
		}
	})
}

// sectionsEnd reports whether a section of the module of TestOutlineOf ends after n bytes.
func sectionsEnd(n int) bool { return n == 8 || n == 18 || n == 23 || n == 30 }

// TestStartFromOutline works on a copy of the compiled code that all tests share: compiling takes seconds.
func TestStartFromOutline(t *testing.T) {
	shared, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	start := func(dir string) {
		t.Helper()
		r, err := New(t.Context(), Config{CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		f, err := r.Open(bytes.NewReader(pdftest.Pages(2)), int64(len(pdftest.Pages(2))), "")
		if err != nil || f.NumPages() != 2 {
			t.Errorf("a file of two pages: %v", err)
		}
		if err := errors.Join(f.Close(), r.Close()); err != nil {
			t.Error(err)
		}
	}
	start(shared)
	found := func(dir, kind string) string {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(dir, kind+"-"+fingerprint(wasm), "wazero-*", "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s in %s: %v, %v", kind, dir, files, err)
		}
		return files[0]
	}
	size := func(path string) int64 {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	whole := found(shared, "module")
	dir := filepath.Join(t.TempDir(), "cache")
	below, err := filepath.Rel(shared, filepath.Dir(filepath.Dir(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, below), os.DirFS(filepath.Join(shared, below))); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}

	start(dir)
	outline := found(dir, "outline")
	t.Run("compiled code is kept for the outline", func(t *testing.T) {
		if got, want := size(outline), size(whole); got != want {
			t.Errorf("%d bytes, want %d", got, want)
		}
	})
	t.Run("the outline is all that a start needs", func(t *testing.T) {
		away := filepath.Join(t.TempDir(), "away")
		if err := os.Rename(filepath.Join(dir, below), away); err != nil {
			t.Fatal(err)
		}
		start(dir)
		if left, err := filepath.Glob(filepath.Join(dir, "module-*")); err != nil || len(left) > 0 {
			t.Errorf("%v, %v: the module was compiled again", left, err)
		}
		if err := os.Rename(away, filepath.Join(dir, below)); err != nil {
			t.Fatal(err)
		}
	})
	for name, spoil := range map[string]func() error{
		"an outline that wazero has compiled itself is replaced": func() error { return os.Remove(outline) },
		"a damaged outline is replaced":                          func() error { return os.Truncate(outline, 100_000) },
	} {
		t.Run(name, func(t *testing.T) {
			// Both names may be of one file.
			data, err := os.ReadFile(outline)
			if err := errors.Join(err, os.Remove(outline), os.WriteFile(outline, data, 0o600), spoil()); err != nil {
				t.Fatal(err)
			}
			start(dir)
			if got, want := size(found(dir, "outline")), size(whole); got != want {
				t.Errorf("%d bytes, want %d", got, want)
			}
		})
	}
	t.Run("compiled code that is not ours is left alone", func(t *testing.T) {
		other := filepath.Join(dir, below, "wazero-other", "code")
		err := errors.Join(os.Mkdir(filepath.Dir(other), 0o700), os.WriteFile(other, []byte("code"), 0o600), os.RemoveAll(filepath.Dir(filepath.Dir(outline))))
		if err != nil {
			t.Fatal(err)
		}
		before := modified(t, whole, dir, below)
		start(dir)
		if _, err := os.Stat(other); err != nil {
			t.Error(err)
		}
		if after := modified(t, whole, dir, below); !after.Equal(before) {
			t.Errorf("the module was compiled again: %v, was %v", after, before)
		}
	})
}

// modified is when the copy of whole below dir was written.
func modified(t *testing.T, whole, dir, below string) time.Time {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, below, filepath.Base(filepath.Dir(whole)), filepath.Base(whole)))
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime()
}
