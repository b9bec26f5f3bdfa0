// Package blob keeps files under keys: in a directory, in memory, or in an S3 bucket.
//
// A key is one or more segments of [A-Za-z0-9._-] joined by "/"; no segment is "." or "..", so a key
// can never lead outside the store. Failures are faults: NotFound "file_not_found" for a missing
// object, Unavailable "storage_unavailable" for everything the storage is to blame for.
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
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"github.com/ragify/ragify/internal/fault"
)

// retryStorage is what a client is told to wait while the storage is away.
const retryStorage = 5 * time.Second

// Uploads to S3 go in parts, buffered in memory: at most partSize × partsAtOnce bytes an upload. S3
// allows 10,000 parts of at least 5 MiB, so objects may have 80 GiB.
const (
	partSize    = 8 << 20 // bytes
	partsAtOnce = 2
)

// Options say how a store's objects are offered for download.
type Options struct {
	PublicURL  string // base of the links to Handler, without a trailing slash; unused with S3
	SigningKey []byte // secret behind those links; unused with S3
}

// Store is a bucket of objects. It is safe for concurrent use.
type Store struct {
	bucket *blob.Bucket
	dir    string // of a file store, "" for the others
	links  *links // nil when the backend signs its own URLs
}

// Open opens the store at rawURL: "file:///absolute/dir" or "file://./relative/dir" (made when
// missing), "mem://" (for tests), or "s3://bucket" with the query parameters region, endpoint,
// use_path_style, profile and the like and the usual AWS_… environment for credentials. It checks the
// form only: Ping tells whether the storage is there.
func Open(ctx context.Context, rawURL string, o Options) (_ *Store, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	s := new(Store)
	switch u.Scheme {
	case fileblob.Scheme:
		s.dir, s.bucket, err = openDir(u)
	case memblob.Scheme:
		s.bucket = memblob.OpenBucket(nil)
	case s3blob.Scheme:
		if s.bucket, err = openS3(ctx, u); err != nil {
			return nil, fmt.Errorf("blob: %w", err)
		}
		return s, nil
	default:
		err = fmt.Errorf("%q does not begin with file:// or s3://", rawURL)
	}
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	s.links = newLinks(o.PublicURL, o.SigningKey)
	return s, nil
}

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

func openS3(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	q := u.Query()
	if checks := "response_checksum_validation"; !q.Has(checks) {
		// By default the SDK logs a warning at every download of an object that went up in parts.
		q.Set(checks, "when_required")
	}
	withDefaults := *u
	withDefaults.RawQuery = q.Encode()
	return new(s3blob.URLOpener).OpenBucketURL(ctx, &withDefaults)
}

// Close gives the backend's resources back.
func (s *Store) Close() error { return s.bucket.Close() }

// Put stores everything from r under key, replacing what was there. Nothing is visible under key before
// all of it is stored. An error of r itself is returned as r gave it.
func (s *Store) Put(ctx context.Context, key, mediaType string, r io.Reader) (err error) {
	defer fault.Op(&err, "blob.Put(%s)", key)
	if err := checkKey(key); err != nil {
		return err
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: mediaType, BufferSize: partSize, MaxConcurrency: partsAtOnce})
	if err != nil {
		return translate(err)
	}
	source := &errorKeeper{r: r}
	if _, err := io.Copy(w, source); err != nil {
		abort() // Close then stores nothing
		_ = w.Close()
		if source.err != nil {
			return source.err
		}
		return translate(err)
	}
	return translate(w.Close())
}

// errorKeeper remembers its reader's error: io.Copy does not tell whose error it returns.
type errorKeeper struct {
	r   io.Reader
	err error
}

func (k *errorKeeper) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if err != nil && err != io.EOF {
		k.err = err
	}
	return n, err
}

// Get opens the object under key. size is in bytes. The caller closes the reader; ctx bounds its use.
func (s *Store) Get(ctx context.Context, key string) (_ io.ReadSeekCloser, size int64, err error) {
	r, err := s.open(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	return r, r.Size(), nil
}

func (s *Store) open(ctx context.Context, key string) (_ *blob.Reader, err error) {
	defer fault.Op(&err, "blob.Get(%s)", key)
	if err := checkKey(key); err != nil {
		return nil, err
	}
	r, err := s.bucket.NewReader(ctx, key, nil)
	return r, translate(err)
}

// Fetch copies the object under key to a new file at path, readable by this user only. When it fails,
// no file is left.
func (s *Store) Fetch(ctx context.Context, key, path string) (err error) {
	r, err := s.open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	defer fault.Op(&err, "blob.Fetch(%s)", key)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			_ = os.Remove(path)
		}
	}()
	source := &errorKeeper{r: r}
	if _, err := io.Copy(f, source); source.err != nil {
		return translate(source.err)
	} else if err != nil {
		return err
	}
	return nil
}

// Delete removes the object under key; a missing one is fine.
func (s *Store) Delete(ctx context.Context, key string) (err error) {
	defer fault.Op(&err, "blob.Delete(%s)", key)
	if err := checkKey(key); err != nil {
		return err
	}
	if err := s.bucket.Delete(ctx, key); gcerrors.Code(err) != gcerrors.NotFound {
		return translate(err)
	}
	return nil
}

// DeletePrefix removes every object whose key begins with prefix, which must end in "/". Objects put
// under the prefix meanwhile may stay.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (err error) {
	defer fault.Op(&err, "blob.DeletePrefix(%s)", prefix)
	folder, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("prefix %q does not end in a slash", prefix)
	}
	if err := checkKey(folder); err != nil {
		return err
	}
	if s.dir != "" {
		// The whole folder: with what a killed process left half-written, and without leaving an empty folder a job.
		return translate(os.RemoveAll(filepath.Join(s.dir, filepath.FromSlash(folder))))
	}
	return s.List(ctx, prefix, func(key string, _ time.Time) error { return s.Delete(ctx, key) })
}

// List calls fn with the key and the time of last change of every object whose key begins with prefix
// ("" for all), in order of their keys. It stops at fn's first error and returns it.
func (s *Store) List(ctx context.Context, prefix string, fn func(key string, modified time.Time) error) (err error) {
	defer fault.Op(&err, "blob.List(%s)", prefix)
	it := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		obj, err := it.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return translate(err)
		}
		if err := fn(obj.Key, obj.ModTime); err != nil {
			return err
		}
	}
}

// Ping checks that the storage answers.
func (s *Store) Ping(ctx context.Context) (err error) {
	defer fault.Op(&err, "blob.Ping")
	if s.dir != "" { // IsAccessible would walk through the whole directory
		if _, err := os.Stat(s.dir); err != nil {
			return unavailable(err)
		}
		return nil
	}
	ok, err := s.bucket.IsAccessible(ctx)
	if err == nil && !ok {
		return unavailable(errors.New("the bucket does not exist or may not be used"))
	}
	return translate(err)
}

// checkKey accepts the keys that the package comment describes.
func checkKey(key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
		}
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, odd) {
			return fault.New(fault.NotFound, "file_not_found", fileNotFound).Because(fmt.Errorf("malformed key %q", key))
		}
	}
	return nil
}

const fileNotFound = "This file does not exist, or no longer: files are deleted when their job expires or is deleted."

// translate makes a fault of a backend's error. An ended context stays what it is: nobody's storage failed.
func translate(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if slices.Contains([]gcerrors.ErrorCode{gcerrors.Canceled, gcerrors.DeadlineExceeded}, gcerrors.Code(err)) {
		return err
	}
	if gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "file_not_found", fileNotFound).Because(err)
	}
	return unavailable(err)
}

func unavailable(err error) error {
	return fault.New(fault.Unavailable, "storage_unavailable", "The file storage does not answer. Try again in a moment.").After(retryStorage).Because(err)
}
