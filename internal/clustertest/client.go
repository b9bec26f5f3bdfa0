//go:build unix

package clustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"time"
)

// Client uses a node's API as an account's program would. A zero HTTP means http.DefaultClient.
type Client struct {
	URL  string // of the node
	Key  string // API key
	HTTP *http.Client
}

// Client is a client of the node for an account.
func (n *Node) Client(a Account) Client { return Client{URL: n.URL(), Key: a.Key} }

// Job is what a client reads of a job.
type Job struct {
	ID           string            `json:"id"`
	Status       string            `json:"status"`
	PageCount    int               `json:"page_count"`
	PagesCharged int               `json:"pages_charged"`
	ErrorMessage string            `json:"error_message"`
	DownloadURLs map[string]string `json:"download_urls"`
	CreatedAt    time.Time         `json:"created_at"`
	StartedAt    *time.Time        `json:"started_at"`
	FinishedAt   *time.Time        `json:"finished_at"`
	Replayed     bool              `json:"-"` // the answer to a repeated Idempotency-Key
}

// Ended reports whether the job is done or failed.
func (j Job) Ended() bool { return j.Status == "done" || j.Status == "failed" }

// Refusal is an error answer of the API.
type Refusal struct {
	Status     int    // of HTTP
	Code       string `json:"code"`
	Message    string `json:"message"`
	RetryAfter string // the header, "" when there was none
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Message) }

// Submission is an upload with its options.
type Submission struct {
	Name           string // of the file
	PDF            []byte
	Options        string // JSON, "" for none
	IdempotencyKey string // "" for none
	Fields         map[string]string
}

// Submit posts a job. An answer other than 201 is a *Refusal; any other error means that nobody knows
// whether there is a job.
func (c Client) Submit(ctx context.Context, s Submission) (j Job, err error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	fields := make(map[string]string, len(s.Fields)+1)
	for name, value := range s.Fields {
		fields[name] = value
	}
	if s.Options != "" {
		fields["options"] = s.Options
	}
	for name, value := range fields {
		if err := form.WriteField(name, value); err != nil {
			return j, err
		}
	}
	file, err := form.CreateFormFile("file", s.Name)
	if err != nil {
		return j, err
	}
	if _, err := file.Write(s.PDF); err != nil {
		return j, err
	}
	if err := form.Close(); err != nil {
		return j, err
	}
	header := http.Header{"Content-Type": {form.FormDataContentType()}}
	if s.IdempotencyKey != "" {
		header.Set("Idempotency-Key", s.IdempotencyKey)
	}
	got, answer, err := c.do(ctx, http.MethodPost, c.URL+"/jobs", header, &body)
	if err != nil {
		return j, err
	}
	j.Replayed = got.Get("Idempotency-Replayed") == "true"
	return j, json.Unmarshal(answer, &j)
}

// Job gets a job.
func (c Client) Job(ctx context.Context, id string) (j Job, err error) {
	_, answer, err := c.do(ctx, http.MethodGet, c.URL+"/jobs/"+id, nil, nil)
	if err != nil {
		return j, err
	}
	return j, json.Unmarshal(answer, &j)
}

// Wait waits until the job has ended, or ctx has: then it gives the job as it was seen last.
func (c Client) Wait(ctx context.Context, id string) (j Job, err error) {
	for {
		_, answer, err := c.do(ctx, http.MethodGet, c.URL+"/jobs/"+id+"?wait=20", nil, nil)
		if err != nil {
			return j, err
		}
		if err := json.Unmarshal(answer, &j); err != nil || j.Ended() {
			return j, err
		}
	}
}

// Delete deletes a job.
func (c Client) Delete(ctx context.Context, id string) error {
	_, _, err := c.do(ctx, http.MethodDelete, c.URL+"/jobs/"+id, nil, nil)
	return err
}

// Download gets what a signed URL leads to. It sends no API key.
func (c Client) Download(ctx context.Context, url string) ([]byte, error) {
	c.Key = ""
	_, body, err := c.do(ctx, http.MethodGet, url, nil, nil)
	return body, err
}

// Get gets a path of the API.
func (c Client) Get(ctx context.Context, path string) ([]byte, error) {
	_, body, err := c.do(ctx, http.MethodGet, c.URL+path, nil, nil)
	return body, err
}

// do sends a request and reads the whole answer.
func (c Client) do(ctx context.Context, method, url string, header http.Header, body io.Reader) (http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if c.Key != "" {
		req.Header.Set("X-Api-Key", c.Key)
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, nil, err
	}
	if res.StatusCode < 300 {
		return res.Header, answer, nil
	}
	refusal := struct {
		Detail *Refusal `json:"detail"`
	}{}
	if err := json.Unmarshal(answer, &refusal); err != nil || refusal.Detail == nil {
		return nil, nil, fmt.Errorf("the answer to %s is %s without a detail", method, res.Status)
	}
	refusal.Detail.Status, refusal.Detail.RetryAfter = res.StatusCode, res.Header.Get("Retry-After")
	return nil, nil, refusal.Detail
}

// Refused reports whether err is an answer of the API with the given status.
func Refused(err error, status int) bool {
	refusal, ok := errors.AsType[*Refusal](err)
	return ok && refusal.Status == status
}
