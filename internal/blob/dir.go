package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
)

// What fileblob puts beside its objects: a file with the media type, and, until an object is complete,
// its content. checkKey refuses keys that end so.
const (
	attributesSuffix = ".attrs"
	temporarySuffix  = ".tmp"
)

// dirChunk is how many entries of a directory are read at once: jobs/ may have millions.
const dirChunk = 1000

func openDir(u *url.URL) (dir string, b *blob.Bucket, err error) {
	dir = u.Path
	switch {
	case u.Host == ".":
		dir = "." + u.Path
	case u.Host != "":
		return "", nil, fmt.Errorf("file URLs have the form file:///absolute/dir or file://./relative/dir, not %q", u)
	}
	if dir == "" || u.RawQuery != "" {
		return "", nil, fmt.Errorf("a file URL needs a path and takes no parameters: %q", u)
	}
	if dir, err = filepath.Abs(filepath.FromSlash(dir)); err != nil {
		return "", nil, err
	}
	// NoTempDir: temporary files lie beside their objects, because a rename does not cross file systems.
	b, err = fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true})
	return dir, b, err
}

// folder is a directory of a file store that does not exist yet, or does.
type folder struct {
	root, dir string
	isNew     bool
}

// folderOf is where the object under key lies.
func folderOf(root, key string) folder {
	dir := filepath.Dir(filepath.Join(root, filepath.FromSlash(key)))
	_, err := os.Stat(dir)
	return folder{root: root, dir: dir, isNew: errors.Is(err, fs.ErrNotExist)}
}

// sync makes an object that was written into the folder outlast a power cut, as Postgres does with the
// row that promises it: the object, its attributes, its name, and the folder's own name if that is new.
// fileblob leaves all that to the operating system.
func (f folder) sync(key string) error {
	path := filepath.Join(f.root, filepath.FromSlash(key))
	for _, p := range []string{path, path + attributesSuffix, f.dir} {
		if err := syncFile(p); err != nil {
			return err
		}
	}
	for dir := f.dir; f.isNew && dir != f.root; {
		dir = filepath.Dir(dir)
		if err := syncFile(dir); err != nil {
			return err
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// listDir is List of a file store. Unlike fileblob's it reads the directory once, whatever its size, and
// passes over what is still being written.
func (s *Store) listDir(ctx context.Context, prefix string, fn func(key string, modified time.Time) error) error {
	if _, err := os.Stat(s.dir); err != nil {
		return unavailable(err)
	}
	top, _ := splitKey(prefix)
	return s.walk(ctx, top, func(key string, e fs.DirEntry) error {
		if e.IsDir() || !strings.HasPrefix(key, prefix) || checkKey(key) != nil {
			return nil
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return unavailable(err)
		}
		return fn(key, info.ModTime())
	})
}

// walk calls fn for everything below the folder top ("" for all, else with a slash at its end), a
// directory after its content. No more than dirChunk entries of each directory on the way are in memory.
func (s *Store) walk(ctx context.Context, top string, fn func(key string, e fs.DirEntry) error) error {
	f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(top)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	defer f.Close()
	for {
		entries, readErr := f.ReadDir(dirChunk)
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := top + e.Name()
			if e.IsDir() {
				if err := s.walk(ctx, key+"/", fn); err != nil {
					return err
				}
			}
			if err := fn(key, e); err != nil {
				return err
			}
		}
		if readErr == io.EOF || errors.Is(readErr, fs.ErrNotExist) {
			return nil
		}
		if readErr != nil {
			return unavailable(readErr)
		}
	}
}

// removeUnfinishedFiles removes what killed processes left under prefix, a folder: temporary files,
// attributes without their object, empty folders, each untouched since before.
func (s *Store) removeUnfinishedFiles(ctx context.Context, prefix string, before time.Time) (removed int, err error) {
	err = s.walk(ctx, prefix, func(key string, e fs.DirEntry) error {
		path := filepath.Join(s.dir, filepath.FromSlash(key))
		object, isAttributes := strings.CutSuffix(path, attributesSuffix)
		switch {
		case e.IsDir():
		case strings.HasSuffix(key, temporarySuffix):
		case isAttributes:
			if _, err := os.Lstat(object); !errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		default:
			return nil
		}
		info, err := os.Lstat(path)
		if err != nil || !info.ModTime().Before(before) {
			return ignoreMissing(err)
		}
		if e.IsDir() {
			// Fails for a folder with content, which is most of them. What was in it may have gone a moment
			// ago, then its time is now.
			if os.Remove(path) == nil {
				removed++
			}
			return nil
		}
		if err := os.Remove(path); err != nil {
			return ignoreMissing(err)
		}
		removed++
		return nil
	})
	return removed, err
}

func ignoreMissing(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return unavailable(err)
}

// splitKey cuts a key or prefix after its last slash.
func splitKey(key string) (folder, name string) {
	i := strings.LastIndexByte(key, '/') + 1
	return key[:i], key[i:]
}
