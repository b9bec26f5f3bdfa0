package blob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
)

// Query parameters of an S3 URL beside those of s3blob and the SDK.
const (
	// publicEndpointParam is where clients reach the S3 server, when that is not where ragify does: links lead there.
	publicEndpointParam = "public_endpoint"
	// serveDownloadsParam makes links lead to Handler: for an S3 server that clients do not reach at all.
	serveDownloadsParam = "serve_downloads"
)

// Uploads to S3 go in parts, buffered in memory: three of them an upload, the one being filled and two on
// their way. S3 allows 10,000 parts of at least 5 MiB, so objects may have 80 GiB.
const (
	partSize    = 8 << 20 // bytes
	partsAtOnce = 2
	// abortTimeout is how long the removal of a failed upload's parts may take. It has its own time, for
	// the upload often fails because its caller has no more.
	abortTimeout = 10 * time.Second
)

const (
	// connectTimeout bounds the making of a connection to the S3 server; across an ocean it takes 0.3 s.
	connectTimeout = 5 * time.Second
	// maxBackoff is the longest pause before a request is repeated. The SDK's 20 seconds are longer than a
	// client waits for an answer.
	maxBackoff = 2 * time.Second
	// stallTimeout is the default of Options.StallTimeout. S3 answers within seconds, and keeps sending
	// while it puts together the parts of a large object.
	stallTimeout = 30 * time.Second
)

// s3Backend is what gocloud's bucket does not offer. Keys need no escaping: checkKey is strict.
type s3Backend struct {
	client *s3.Client
	name   string       // of the bucket
	signer *blob.Bucket // makes links; its endpoint is the public one
}

// openS3 opens the bucket at u, for our own use and for links.
func openS3(ctx context.Context, u *url.URL, stall time.Duration) (b *blob.Bucket, backend *s3Backend, serveDownloads bool, err error) {
	if u.Path != "" && u.Path != "/" {
		return nil, nil, false, fmt.Errorf("an S3 URL names a bucket, no folder in it: %q", u.Path)
	}
	q := u.Query()
	public := q.Get(publicEndpointParam)
	q.Del(publicEndpointParam)
	if serve := q.Get(serveDownloadsParam); serve != "" {
		if serveDownloads, err = strconv.ParseBool(serve); err != nil {
			return nil, nil, false, fmt.Errorf("%s is true or false, not %q", serveDownloadsParam, serve)
		}
		q.Del(serveDownloadsParam)
	}
	if checks := "response_checksum_validation"; !q.Has(checks) {
		// By default the SDK logs a warning at every download of an object that went up in parts.
		q.Set(checks, "when_required")
	}
	if serveDownloads && public != "" {
		return nil, nil, false, fmt.Errorf("%s and %s exclude each other", publicEndpointParam, serveDownloadsParam)
	}
	backend = &s3Backend{name: u.Host}
	if b, backend.client, err = dialS3(ctx, u.Host, q, stall); err != nil {
		return nil, nil, false, err
	}
	backend.signer = b
	if public != "" {
		if err := checkEndpoint(public); err != nil {
			return nil, nil, false, err
		}
		q.Set("endpoint", public)
		if backend.signer, _, err = dialS3(ctx, u.Host, q, stall); err != nil {
			return nil, nil, false, err
		}
	}
	return b, backend, serveDownloads, nil
}

// checkEndpoint wants scheme and host alone. A signature covers the path, so a proxy that takes one away
// would break it.
func checkEndpoint(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		(u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%s has the form https://files.example.com, without a path, not %q", publicEndpointParam, raw)
	}
	return nil
}

// dialS3 makes a client that does not wait for a silent server.
func dialS3(ctx context.Context, bucket string, q url.Values, stall time.Duration) (*blob.Bucket, *s3.Client, error) {
	opener := new(s3blob.URLOpener) // keeps the options that it finds
	plain, err := opener.OpenBucketURL(ctx, &url.URL{Scheme: s3blob.Scheme, Host: bucket, RawQuery: q.Encode()})
	if err != nil {
		return nil, nil, err
	}
	var client *s3.Client
	if !plain.As(&client) {
		return nil, nil, errors.New("gocloud gives no S3 client")
	}
	env, err := config.NewEnvConfig()
	if err != nil {
		return nil, nil, err
	}
	dialer := &net.Dialer{Timeout: connectTimeout}
	client = s3.New(client.Options(), func(o *s3.Options) {
		// The SDK's own, which gocloud's replaces: it honours AWS_MAX_ATTEMPTS, and repeats little while nothing succeeds.
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) {
			r.MaxAttempts, r.MaxBackoff = cmp.Or(env.RetryMaxAttempts, retry.DefaultMaxAttempts), maxBackoff
		})
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = connectTimeout
			t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				c, err := dialer.DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				return &stallConn{Conn: c, limit: stall}, nil
			}
		})
	})
	b, err := s3blob.OpenBucket(ctx, client, bucket, &opener.Options)
	return b, client, err
}

// stallConn breaks when nothing goes either way for the time of limit. A limit of whole requests would
// have to know how large their bodies are and how fast the network is.
type stallConn struct {
	net.Conn

	limit time.Duration
}

// Read reads, and gives both directions new time.
func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes, and gives both directions new time: while a request goes out, its answer is awaited.
func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(c.limit)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// limitMemory makes an upload keep to partSize, and remove its parts when it fails. gocloud passes on
// neither, so it is given another client.
func (s *s3Backend) limitMemory(as func(any) bool) error {
	var uploads *transfermanager.Client
	if !as(&uploads) {
		return errors.New("gocloud gives no transfer manager")
	}
	*uploads = *transfermanager.New(s.client, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.Concurrency = partSize, partsAtOnce
		o.MultipartUploadThreshold = partSize
		o.FailTimeout = abortTimeout
		o.RequestChecksumCalculation = s.client.Options().RequestChecksumCalculation
	})
	return nil
}

// deletePrefix takes two requests for each thousand objects, where the server knows DeleteObjects.
func (s *s3Backend) deletePrefix(ctx context.Context, prefix string) error {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		if err := s.deleteAll(ctx, page.Contents); err != nil {
			return err
		}
	}
	return nil
}

func (s *s3Backend) deleteAll(ctx context.Context, objects []types.Object) error {
	if len(objects) > 1 {
		ids := make([]types.ObjectIdentifier, len(objects))
		for i, o := range objects {
			ids[i].Key = o.Key
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.name, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}})
		if err == nil && len(out.Errors) > 0 {
			e := out.Errors[0]
			return &smithy.GenericAPIError{
				Code:    aws.ToString(e.Code),
				Message: fmt.Sprintf("%s: %s (and %d more)", aws.ToString(e.Key), aws.ToString(e.Message), len(out.Errors)-1),
			}
		}
		var answer *awshttp.ResponseError
		if !errors.As(err, &answer) || (answer.HTTPStatusCode() != http.StatusBadRequest && answer.HTTPStatusCode() != http.StatusNotImplemented) {
			return err
		}
		// Google's S3 gateway knows no DeleteObjects, and others want an MD5 that the SDK no longer sends.
	}
	for _, o := range objects {
		if _, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.name, Key: o.Key}); err != nil && !isMissing(err) {
			return err
		}
	}
	return nil
}

// removeUnfinished aborts the uploads under prefix that began before the given time.
func (s *s3Backend) removeUnfinished(ctx context.Context, prefix string, before time.Time) (removed int, err error) {
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.name, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var answer *awshttp.ResponseError
		if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusNotImplemented {
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) {
				continue
			}
			_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.name, Key: u.Key, UploadId: u.UploadId})
			if err != nil && !isMissing(err) {
				return removed, err
			}
			removed++
		}
	}
	return removed, nil
}

// isMissing reports whether what was to be removed is not there.
func isMissing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NoSuchUpload")
}

// advice says what an operator can do about an S3 server's refusal, "" for others. A missing bucket is
// among them: it must not pass for a missing object.
func advice(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	switch api.ErrorCode() {
	case "NoSuchBucket":
		return "the bucket does not exist: make it, or correct BLOB_URL"
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthorizationHeaderMalformed":
		return "the credentials are refused: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and BLOB_URL's region"
	case "ExpiredToken", "ExpiredTokenException":
		return "the credentials have expired: renew them"
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem":
		return "the credentials do not allow this: docs/storage.md has the policy that ragify needs"
	case "RequestTimeTooSkewed":
		return "this machine's clock and the storage's differ by more than 15 minutes: set it right"
	case "PermanentRedirect", "IllegalLocationConstraintException":
		return "the bucket is in another region: correct BLOB_URL's region"
	case "NoSuchKey", "NotFound":
		return ""
	}
	if gcerrors.Code(err) == gcerrors.PermissionDenied {
		return "the credentials do not allow this: docs/storage.md has the policy that ragify needs"
	}
	return ""
}
