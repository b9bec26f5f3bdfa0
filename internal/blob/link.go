package blob

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"

	"github.com/ragify/ragify/internal/fault"
)

// filesPath is where Handler is mounted, below Options.PublicURL.
const filesPath = "/files/"

// links makes and checks signed links to our own download handler.
type links struct {
	base string
	keys [][]byte // the first signs, all verify
	now  func() time.Time
}

func newLinks(publicURL string, signingKeys [][]byte) *links {
	l := &links{base: strings.TrimSuffix(publicURL, "/"), now: time.Now}
	for _, key := range signingKeys {
		// A key of its own: a signature made for another purpose with the same secret is worth nothing here.
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte("ragify download link v1"))
		l.keys = append(l.keys, mac.Sum(nil))
	}
	return l
}

// sign covers everything that the link says. Neither a key nor a number contains a newline.
func sign(secret []byte, key, expires, downloadName string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(key + "\n" + expires + "\n" + downloadName))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// url makes a link that ends at expires.
func (l *links) url(key, downloadName string, expires time.Time) string {
	end := strconv.FormatInt(expires.Unix(), 10)
	return l.base + filesPath + key + "?" + url.Values{
		"expires":   {end},
		"name":      {downloadName},
		"signature": {sign(l.keys[0], key, end, downloadName)},
	}.Encode()
}

// verify gives the key and the download name of a link's request.
func (l *links) verify(r *http.Request) (key, downloadName string, err error) {
	_, key, ok := strings.Cut(r.URL.Path, filesPath)
	q := r.URL.Query()
	// The encoded forms are compared: base64 can spell the same bytes in several ways, a link has one.
	signed := slices.ContainsFunc(l.keys, func(secret []byte) bool {
		return hmac.Equal([]byte(q.Get("signature")), []byte(sign(secret, key, q.Get("expires"), q.Get("name"))))
	})
	if !ok || !signed {
		return "", "", fault.New(fault.Forbidden, "invalid_link", "This download link is not valid. Take a fresh one from download_urls of the job.")
	}
	// The number is ours: the signature covers it.
	if end, err := strconv.ParseInt(q.Get("expires"), 10, 64); err != nil || !l.now().Before(time.Unix(end, 0)) {
		return "", "", fault.New(fault.Forbidden, "expired_link", "This download link has expired. Take a fresh one from download_urls of the job.")
	}
	return key, q.Get("name"), nil
}

// SignedURL makes a link with which anybody can download the object under key until ttl has passed. A
// browser saves it under downloadName, which may be any text. The object need not exist.
func (s *Store) SignedURL(ctx context.Context, key, downloadName string, ttl time.Duration) (_ string, err error) {
	defer fault.Op(&err, "blob.SignedURL(%s)", key)
	if err := checkKey(key); err != nil {
		return "", err
	}
	if s.links != nil {
		return s.links.url(key, downloadName, s.links.now().Add(ttl)), nil
	}
	u, err := s.s3.signer.SignedURL(ctx, key, &blob.SignedURLOptions{Method: http.MethodGet, Expiry: ttl, BeforeSign: func(as func(any) bool) error {
		var in *s3.GetObjectInput
		if !as(&in) {
			return errors.New("the backend does not take a download name")
		}
		disposition := contentDisposition(downloadName)
		in.ResponseContentDisposition = &disposition
		return nil
	}})
	return u, translate(ctx, err)
}

// Handler serves the links of SignedURL: GET and HEAD of /files/…, with byte ranges. Every refusal
// goes to fail, which writes the error response. The handler is nil when the links lead elsewhere.
func (s *Store) Handler(fail func(http.ResponseWriter, *http.Request, error)) http.Handler {
	if s.links == nil {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			fail(w, r, fault.New(fault.MethodNotAllowed, "method_not_allowed", "Files can only be downloaded: use GET."))
			return
		}
		key, name, err := s.links.verify(r)
		if err != nil {
			fail(w, r, err)
			return
		}
		object, err := s.open(r.Context(), key)
		if err != nil {
			fail(w, r, err)
			return
		}
		defer object.Close()
		// What a customer's PDF contained must never run as a page of this origin.
		h := w.Header()
		h.Set("Content-Type", object.ContentType())
		h.Set("Content-Disposition", contentDisposition(name))
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		h.Set("Cache-Control", "private")
		http.ServeContent(w, r, path.Base(key), object.ModTime(), object)
	})
}

// contentDisposition makes the header value that lets a browser save under name: exactly through
// filename* (RFC 8187), with an approximation in ASCII for old clients.
func contentDisposition(name string) string {
	plain := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain != name {
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}
