package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
)

// client uses the API as a customer's program would.
type client struct {
	base string
	key  string
}

// demoJob is what the client reads of a job.
type demoJob struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	PageCount int    `json:"page_count"`
	Progress  struct {
		Done  int `json:"pages_done"`
		Total int `json:"pages_total"`
	} `json:"progress"`
	ErrorMessage string            `json:"error_message"`
	DownloadURLs map[string]string `json:"download_urls"`
	Warnings     []struct {
		Message string `json:"message"`
	} `json:"warnings"`
}

// do sends a request and gives the answer, which the caller closes, or the API's error.
func (c client) do(ctx context.Context, method, url, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(url, c.base) {
		req.Header.Set("X-Api-Key", c.key)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 300 {
		return res, nil
	}
	defer res.Body.Close()
	var answer struct {
		Detail refusal `json:"detail"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Detail.Message == "" {
		return nil, fmt.Errorf("the service answered %s", res.Status)
	}
	return nil, answer.Detail
}

// refusal is what the API says when it does not do what it was asked.
type refusal struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (r refusal) Error() string { return r.Message }

// upload posts a PDF and gives the new job.
func (c client) upload(ctx context.Context, name string, pdf []byte) (j demoJob, err error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", name)
	if err != nil {
		return j, err
	}
	if _, err := file.Write(pdf); err != nil {
		return j, err
	}
	if err := form.Close(); err != nil {
		return j, err
	}
	res, err := c.do(ctx, http.MethodPost, c.base+"/jobs", form.FormDataContentType(), &body)
	if err != nil {
		return j, err
	}
	defer res.Body.Close()
	return j, json.NewDecoder(res.Body).Decode(&j)
}

// follow reads a job's events until the job has ended, and gives it as it is then. progress is told of
// every change.
func (c client) follow(ctx context.Context, id string, progress func(demoJob)) (j demoJob, err error) {
	res, err := c.do(ctx, http.MethodGet, c.base+"/jobs/"+id+"/events", "", nil)
	if err != nil {
		return j, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20) // a job with many warnings is long
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		if err := json.Unmarshal([]byte(data), &j); err != nil { // a progress event has only what changes
			return j, err
		}
		progress(j)
		if j.Status == "done" || j.Status == "failed" {
			return j, nil
		}
	}
	return j, fmt.Errorf("the event stream ended before the job: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}

// get reads a whole answer.
func (c client) get(ctx context.Context, url string) ([]byte, error) {
	res, err := c.do(ctx, http.MethodGet, url, "", nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
