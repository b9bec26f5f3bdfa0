// Package blob keeps files under keys: in a directory, in memory, or in an S3 bucket.
//
// A key is one or more segments of [A-Za-z0-9._-] joined by "/"; no segment is "." or "..", so a key
// can never lead outside the store; none ends in ".attrs" or ".tmp". Failures are faults: NotFound "file_not_found" for a missing
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
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/prometheus/client_golang/prometheus"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"

	"github.com/ragify/ragify/internal/fault"
)

// retryStorage is what a client is told to wait while the storage is away.
const retryStorage = 5 * time.Second

// Options say how a store's objects are offered for download.
type Options struct {
	PublicURL  string // base of the links to Handler, without a trailing slash; unused where links lead to S3
	SigningKey []byte // secret behind those links; unused likewise
	// FormerKeys are secrets whose links still work: with them SigningKey can be changed without a broken link.
	FormerKeys [][]byte
	// StallTimeout is how long a connection to an S3 server may be silent in both directions before the
	// request is given up and perhaps repeated; default 30 seconds.
	StallTimeout time.Duration
	Registry     prometheus.Registerer // takes the store's metrics; nil: nobody does
}

// Store is a bucket of objects. It is safe for concurrent use.
type Store struct {
	bucket  *blob.Bucket
	dir     string     // of a file store, "" for the others
	s3      *s3Backend // of an S3 store, nil for the others
	links   *links     // nil when the backend signs its own URLs
	metrics *metrics
}

// Open opens the store at rawURL: "file:///absolute/dir" or "file://./relative/dir" (made when
// missing), "mem://" (for tests), or "s3://bucket" with the query parameters region, endpoint,
// use_path_style, profile and the like and the usual AWS_… environment for credentials. With S3, links
// lead to the endpoint, or to the one that clients reach: public_endpoint=https://files.example.com; with
// serve_downloads=true they lead to Handler. Open checks the form only: Ping tells whether the storage is
// there.
func Open(ctx context.Context, rawURL string, o Options) (_ *Store, err error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if o.StallTimeout <= 0 {
		o.StallTimeout = stallTimeout
	}
	s := new(Store)
	serveDownloads := true
	switch u.Scheme {
	case fileblob.Scheme:
		s.dir, s.bucket, err = openDir(u)
	case memblob.Scheme:
		s.bucket = memblob.OpenBucket(nil)
	case s3blob.Scheme:
		s.bucket, s.s3, serveDownloads, err = openS3(ctx, u, o.StallTimeout)
	default:
		err = fmt.Errorf("%q does not begin with file:// or s3://", rawURL)
	}
	if err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	if s.metrics, err = newMetrics(o.Registry); err != nil {
		return nil, errors.Join(fmt.Errorf("blob: %w", err), s.bucket.Close())
	}
	if serveDownloads {
		s.links = newLinks(o.PublicURL, append([][]byte{o.SigningKey}, o.FormerKeys...))
	}
	return s, nil
}

// Close gives the backend's resources back.
func (s *Store) Close() error { return s.bucket.Close() }

// Put stores everything from r under key, replacing what was there. Nothing is visible under key before
// all of it is stored, and what is stored outlasts a power cut once Put has returned. When it fails, what
// it had stored is removed; a killed process leaves that to RemoveUnfinished. An error of r itself is
// returned as r gave it.
func (s *Store) Put(ctx context.Context, key, mediaType string, r io.Reader) (err error) {
	defer fault.Op(&err, "blob.Put(%s)", key)
	defer s.metrics.begin(&ctx, opPut, &err)()
	if err := checkKey(key); err != nil {
		return err
	}
	writing, abort := context.WithCancel(ctx)
	defer abort()
	options := &blob.WriterOptions{ContentType: mediaType}
	if s.s3 != nil {
		options.BeforeWrite = s.s3.limitMemory
	}
	var place folder
	if s.dir != "" {
		place = folderOf(s.dir, key)
	}
	w, err := s.bucket.NewWriter(writing, key, options)
	if err != nil {
		return translate(ctx, err)
	}
	source := &errorKeeper{r: r}
	if _, err := io.Copy(w, source); err != nil {
		abort() // Close then stores nothing
		_ = w.Close()
		if source.err != nil {
			return source.err
		}
		return translate(ctx, err)
	}
	if err := w.Close(); err != nil {
		return translate(ctx, err)
	}
	if s.dir != "" {
		return translate(ctx, place.sync(key))
	}
	return nil
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
	defer s.metrics.begin(&ctx, opGet, &err)()
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
	return r, translate(ctx, err)
}

// Fetch copies the object under key to a new file at path, readable by this user only. When it fails,
// no file is left.
func (s *Store) Fetch(ctx context.Context, key, path string) (err error) {
	defer s.metrics.begin(&ctx, opFetch, &err)()
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
		return translate(ctx, source.err)
	} else if err != nil {
		return err
	}
	return nil
}

// Delete removes the object under key; a missing one is fine.
func (s *Store) Delete(ctx context.Context, key string) (err error) {
	defer fault.Op(&err, "blob.Delete(%s)", key)
	defer s.metrics.begin(&ctx, opDelete, &err)()
	if err := checkKey(key); err != nil {
		return err
	}
	if s.s3 != nil { // gocloud asks first whether it is there
		return translate(ctx, s.s3.deleteAll(ctx, []types.Object{{Key: &key}}))
	}
	if err := translate(ctx, s.bucket.Delete(ctx, key)); fault.KindOf(err) != fault.NotFound {
		return err
	}
	return nil
}

// DeletePrefix removes every object whose key begins with prefix, which must end in "/". Objects put
// under the prefix meanwhile may stay.
func (s *Store) DeletePrefix(ctx context.Context, prefix string) (err error) {
	defer fault.Op(&err, "blob.DeletePrefix(%s)", prefix)
	defer s.metrics.begin(&ctx, opDelete, &err)()
	folder, ok := strings.CutSuffix(prefix, "/")
	if !ok {
		return fmt.Errorf("prefix %q does not end in a slash", prefix)
	}
	if err := checkKey(folder); err != nil {
		return err
	}
	if s.dir != "" {
		// The whole folder: with what a killed process left half-written, and without leaving an empty folder a job.
		return translate(ctx, os.RemoveAll(filepath.Join(s.dir, filepath.FromSlash(folder))))
	}
	if s.s3 != nil {
		return translate(ctx, s.s3.deletePrefix(ctx, prefix))
	}
	return s.List(ctx, prefix, func(key string, _ time.Time) error { return s.Delete(ctx, key) })
}

// List calls fn with the key and the time of last change of every object whose key begins with prefix
// ("" for all). The objects of a folder come one after the other; there is no other order. However many
// there are, only a thousand are in memory. It stops at fn's first error and returns it; fn may delete what
// it is given.
func (s *Store) List(ctx context.Context, prefix string, fn func(key string, modified time.Time) error) (err error) {
	defer fault.Op(&err, "blob.List(%s)", prefix)
	defer s.metrics.begin(&ctx, opList, &err)()
	if s.dir != "" {
		return s.listDir(ctx, prefix, fn)
	}
	it := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		obj, err := it.Next(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return translate(ctx, err)
		}
		if err := fn(obj.Key, obj.ModTime); err != nil {
			return err
		}
	}
}

// RemoveUnfinished removes what processes that were killed while they stored something left under prefix,
// which must end in "/": parts of S3 uploads, temporary files. What is younger than the given time stays,
// since it may still become an object. Where an S3 server does not tell of such parts, nothing is removed.
func (s *Store) RemoveUnfinished(ctx context.Context, prefix string, before time.Time) (removed int, err error) {
	defer fault.Op(&err, "blob.RemoveUnfinished(%s)", prefix)
	defer s.metrics.begin(&ctx, opCleanUp, &err)()
	if folder, ok := strings.CutSuffix(prefix, "/"); !ok || checkKey(folder) != nil {
		return 0, fmt.Errorf("prefix %q is not a folder", prefix)
	}
	switch {
	case s.dir != "":
		return s.removeUnfinishedFiles(ctx, prefix, before)
	case s.s3 != nil:
		removed, err = s.s3.removeUnfinished(ctx, prefix, before)
		return removed, translate(ctx, err)
	}
	return 0, nil
}

// Ping checks that the storage answers.
func (s *Store) Ping(ctx context.Context) (err error) {
	defer fault.Op(&err, "blob.Ping")
	defer s.metrics.begin(&ctx, opPing, &err)()
	if s.dir != "" { // IsAccessible would walk through the whole directory
		if _, err := os.Stat(s.dir); err != nil {
			return unavailable(err)
		}
		return nil
	}
	ok, err := s.bucket.IsAccessible(ctx)
	if err == nil && !ok {
		return unavailable(errors.New("the bucket does not exist: make it, or correct BLOB_URL"))
	}
	return translate(ctx, err)
}

// checkKey accepts the keys that the package comment describes.
func checkKey(key string) error {
	for segment := range strings.SplitSeq(key, "/") {
		odd := func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
		}
		reserved := strings.HasSuffix(segment, attributesSuffix) || strings.HasSuffix(segment, temporarySuffix)
		if segment == "" || segment == "." || segment == ".." || reserved || strings.ContainsFunc(segment, odd) {
			return fault.New(fault.NotFound, "file_not_found", fileNotFound).Because(fmt.Errorf("malformed key %q", key))
		}
	}
	return nil
}

const fileNotFound = "This file does not exist, or no longer: files are deleted when their job expires or is deleted."

// translate makes a fault of a backend's error. Where ctx has ended the error stays what it is: nobody's
// storage failed. (The error alone does not tell: a connection that could not be made in time is a
// context.DeadlineExceeded, too.)
func translate(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if hint := advice(err); hint != "" {
		return unavailable(fmt.Errorf("%s (%w)", hint, err))
	}
	if gcerrors.Code(err) == gcerrors.NotFound || errors.Is(err, fs.ErrNotExist) {
		return fault.New(fault.NotFound, "file_not_found", fileNotFound).Because(err)
	}
	return unavailable(err)
}

func unavailable(err error) error {
	return fault.New(fault.Unavailable, "storage_unavailable", "The file storage does not answer. Try again in a moment.").After(retryStorage).Because(err)
}
