package httpapi

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
)

const (
	maxOptions    = 64 << 10 // bytes of the options field
	maxWebhookURL = 8 << 10  // bytes read of it; CheckWebhookURL has the stricter say
	maxFileName   = 255      // bytes
	// formOverhead is what a form may have beside the file: the other fields, part headers, boundaries.
	formOverhead = 128 << 10
	// headerWithin is where a PDF's header has to be: readers accept some bytes before it.
	headerWithin = 1024
)

// form is a submission as the client sent it, with the file on the local disk.
type form struct {
	dir        string // temporary, holds path
	path       string // of the upload; "" without one
	fileName   string
	size       int64
	sum        [sha256.Size]byte
	options    option.Options
	webhookURL string // "" for none; the account's default when the form has no such field
}

// remove deletes the local copy.
func (f *form) remove() {
	if f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
}

// uploadLimit is the largest file in bytes that a plan and the operator allow, -1 without limit.
func (s *server) uploadLimit(p plan.Plan) int64 {
	limit := int64(-1)
	if p.MaxFileSize != nil {
		limit = *p.MaxFileSize
	}
	if s.MaxUploadBytes > 0 && (limit < 0 || s.MaxUploadBytes < limit) {
		limit = s.MaxUploadBytes
	}
	return min(limit, math.MaxInt64-formOverhead) // the form around it has a size, too
}

// errTooLarge says whose limit it is: another plan does not help against the operator's.
func errTooLarge(limit int64, p plan.Plan) error {
	size := fmt.Sprintf("%d bytes", limit)
	if limit%100_000 == 0 {
		size = fmt.Sprintf("%g MB", float64(limit)/1_000_000)
	}
	whose := "the most that this server takes"
	if p.MaxFileSize != nil && *p.MaxFileSize == limit {
		whose = fmt.Sprintf("the limit of the %s plan", p.Tier)
	}
	return fault.Newf(fault.TooLarge, "file_too_large", "The file is larger than %s, %s.", size, whose).
		With("field", "file").With("max_bytes", limit).With("tier", p.Tier)
}

// formReader reads one submission.
type formReader struct {
	server *server
	plan   plan.Plan
	limit  int64 // bytes of the file, -1 for any number
	seen   map[string]bool
	form   *form
}

// readForm reads the multipart body of a submission, its fields in any order, and refuses as soon as it
// can: size and %PDF- header while the file comes in, options at once. The caller removes the form, also
// after an error.
func (s *server) readForm(r *http.Request, p plan.Plan) (*form, error) {
	fr := &formReader{server: s, plan: p, limit: s.uploadLimit(p), seen: make(map[string]bool), form: &form{options: option.Default(), webhookURL: caller(r.Context()).Account.WebhookURL}}
	if fr.limit >= 0 {
		if r.ContentLength > fr.limit+formOverhead {
			return fr.form, errTooLarge(fr.limit, p)
		}
		r.Body = http.MaxBytesReader(nil, r.Body, fr.limit+formOverhead)
	}
	parts, err := r.MultipartReader()
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "multipart/form-data" {
		return fr.form, fault.New(fault.Invalid, "not_multipart",
			"The body must be multipart/form-data with the PDF in the field \"file\".").Because(err)
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fr.form, fr.errBody(err)
		}
		if err := fr.readPart(part); err != nil {
			return fr.form, err
		}
	}
	// What follows the closing boundary has no meaning, but has to be read to keep the connection.
	_, _ = io.CopyN(io.Discard, r.Body, formOverhead)
	if !fr.seen["file"] {
		return fr.form, fault.New(fault.Invalid, "file_missing", "The form has no field \"file\".").With("field", "file")
	}
	if !fr.seen["options"] {
		return fr.form, checkOptions(fr.form.options, p) // an operator's plan may lack even the defaults
	}
	return fr.form, nil
}

func (fr *formReader) readPart(part *multipart.Part) error {
	name := part.FormName()
	if name != "file" && name != "options" && name != "webhook_url" {
		name = clipped(name)
		return fault.Newf(fault.Invalid, "unknown_field", "The form has an unknown field %q.", name).
			With("field", name).With("allowed", []string{"file", "options", "webhook_url"})
	}
	if fr.seen[name] {
		return fault.Newf(fault.Invalid, "duplicate_field", "The form has the field %q more than once.", name).With("field", name)
	}
	fr.seen[name] = true
	switch name {
	case "options":
		raw, err := fr.readField(part, name, maxOptions)
		if err != nil {
			return err
		}
		if fr.form.options, err = option.Parse(raw); err != nil {
			return err
		}
		return checkOptions(fr.form.options, fr.plan)
	case "webhook_url":
		raw, err := fr.readField(part, name, maxWebhookURL)
		if err != nil {
			return err
		}
		if fr.form.webhookURL = strings.TrimSpace(string(raw)); fr.form.webhookURL == "" {
			return nil // none, whatever the account's default
		}
		return fr.server.CheckWebhookURL(fr.form.webhookURL)
	default:
		fr.form.fileName = cleanFileName(part.FileName())
		return fr.readFile(part)
	}
}

func (fr *formReader) readField(part io.Reader, name string, limit int64) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil {
		return nil, fr.errBody(err)
	}
	if int64(len(raw)) > limit {
		return nil, fault.Newf(fault.TooLarge, "body_too_large", "The field %q is larger than %d bytes.", name, limit).
			With("field", name).With("max_bytes", limit)
	}
	return raw, nil
}

// readFile copies the upload to the disk. Memory use does not depend on its size.
func (fr *formReader) readFile(part io.Reader) error {
	head := make([]byte, headerWithin)
	n, err := io.ReadFull(part, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fr.errBody(err)
	}
	// A part that the connection cut off ends with the same error as a short file: the rest tells.
	if err == io.ErrUnexpectedEOF {
		if _, err := part.Read(make([]byte, 1)); err != nil && err != io.EOF {
			return fr.errBody(err)
		}
	}
	if n == 0 {
		return fault.New(fault.Invalid, "file_empty", "The file is empty.").With("field", "file")
	}
	if fr.limit >= 0 && int64(n) > fr.limit {
		return errTooLarge(fr.limit, fr.plan)
	}
	if !bytes.Contains(head[:n], []byte("%PDF-")) {
		return fault.New(fault.Invalid, "not_a_pdf", "The file is not a PDF: it has no %PDF- header.").With("field", "file")
	}
	return fr.spool(io.MultiReader(bytes.NewReader(head[:n]), part))
}

func (fr *formReader) spool(upload io.Reader) (err error) {
	defer fault.Op(&err, "httpapi.spool")
	f := fr.form
	if f.dir, err = os.MkdirTemp(fr.server.TempDir, "upload-"); err != nil {
		return errDisk(err)
	}
	f.path = filepath.Join(f.dir, "source.pdf")
	file, err := os.OpenFile(f.path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return errDisk(err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil && closeErr != nil {
			err = errDisk(closeErr)
		}
	}()
	hash := sha256.New()
	defer func() { fr.server.metrics.uploaded.Add(float64(f.size)) }()
	for buf := make([]byte, 64<<10); ; {
		n, readErr := upload.Read(buf)
		f.size += int64(n)
		if fr.limit >= 0 && f.size > fr.limit {
			return errTooLarge(fr.limit, fr.plan)
		}
		hash.Write(buf[:n])
		if _, err := file.Write(buf[:n]); err != nil {
			return errDisk(err)
		}
		if readErr == io.EOF {
			hash.Sum(f.sum[:0])
			return nil
		}
		if readErr != nil {
			return fr.errBody(readErr)
		}
	}
}

// errDisk is for the disk that holds uploads while they are checked.
func errDisk(cause error) error {
	return fault.New(fault.Unavailable, "storage_unavailable", "The service cannot store the upload right now. Try again shortly.").Because(cause)
}

// errBody tells why a body could not be read to its end. When the client has left, nobody reads it.
func (fr *formReader) errBody(cause error) error {
	var tooLarge *http.MaxBytesError
	var network interface{ Timeout() bool }
	switch {
	case errors.As(cause, &tooLarge):
		return errTooLarge(fr.limit, fr.plan)
	case errors.Is(cause, io.ErrUnexpectedEOF), errors.As(cause, &network):
		return fault.New(fault.Invalid, "upload_interrupted", "The upload broke off. Send it again.").Because(cause)
	default:
		// Without the cause: it would bring the part's header, and so the file's name, into the log.
		return fault.New(fault.Invalid, "malformed_multipart", "The multipart body is malformed.")
	}
}

// checkOptions refuses what the plan lacks.
func checkOptions(o option.Options, p plan.Plan) error {
	for _, f := range o.Format {
		if !p.AllowsFormat(f) {
			return fault.Newf(fault.Forbidden, "format_not_in_plan", "The %s plan does not include the format %q.", p.Tier, f).
				With("field", "format").With("tier", p.Tier).With("allowed", p.Formats)
		}
	}
	if o.ImageOutput != "off" && !p.ImageExtraction {
		return fault.Newf(fault.Forbidden, "image_extraction_not_in_plan", "The %s plan does not include image extraction.", p.Tier).
			With("field", "image_output").With("tier", p.Tier).With("allowed", []string{"off"})
	}
	return nil
}

// cleanFileName makes a name fit to be shown and stored: its last element only, valid UTF-8 without
// control characters, at most maxFileName bytes.
func cleanFileName(name string) string {
	if i := strings.LastIndexAny(name, `/\`); i >= 0 {
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		// Bidi controls can make a name look like another one.
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r // and what is not UTF-8 becomes U+FFFD
	}, name)
	name = strings.TrimSpace(name)
	for len(name) > maxFileName {
		_, last := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-last]
	}
	return name
}

// clipped shortens a client's own word for an answer.
func clipped(s string) string {
	return fmt.Sprintf("%.64s", strings.ToValidUTF8(s, "�"))
}
