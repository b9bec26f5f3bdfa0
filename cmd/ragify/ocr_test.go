package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// scan is a file with a page of text, and one that is a picture only.
func scan() []byte {
	b := pdftest.New()
	b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "Page 1 has text")
	b.Page(300, 300).Image(0, 0, 300, 300)
	return b.Bytes()
}

// TestServe_without_Tesseract converts a scanned page where nothing can read it: the job is done, and says what is missing.
func TestServe_without_Tesseract(t *testing.T) {
	t.Parallel()
	env := environ(t, dataDir(t), "PATH="+t.TempDir())
	server := start(t, env, "serve")
	_, key := user(t, env, "ada@example.com", "pro")
	c := client{base: server.api, key: key}
	j, err := c.upload(t.Context(), "scan.pdf", scan())
	if err != nil {
		t.Fatal(err)
	}
	if j, err = c.follow(t.Context(), j.ID, func(demoJob) {}); err != nil || j.Status != "done" {
		t.Fatalf("job %+v, %v", j, err)
	}
	if a := request(t, http.MethodGet, j.DownloadURLs["markdown"], ""); !strings.Contains(a.body, "Page 1 has text") {
		t.Errorf("Markdown %q", a.body)
	}
	var answer struct{ Warnings []document.Warning }
	a := request(t, http.MethodGet, server.api+"/jobs/"+j.ID, key)
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil {
		t.Fatal(err)
	}
	for _, code := range []string{"pages_without_text", "ocr_unavailable"} {
		i := slices.IndexFunc(answer.Warnings, func(w document.Warning) bool { return w.Code == code })
		if i < 0 || !slices.Equal(answer.Warnings[i].Pages, []int{2}) {
			t.Errorf("no %s for page 2: %+v", code, answer.Warnings)
		} else if code == "ocr_unavailable" && !strings.Contains(answer.Warnings[i].Message, "tesseract-ocr-eng") {
			t.Errorf("it does not say what to install: %s", answer.Warnings[i].Message)
		}
	}
	server.terminate()
}

func TestParse_without_Tesseract_says_what_to_install(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	env := environ(t, t.TempDir())
	o := ragify(t, env, "parse", "-f", "text", write(t, "scan.pdf", scan()))
	if o.code != exitOK || !strings.Contains(o.stdout, "Page 1 has text") {
		t.Errorf("%+v", o)
	}
	if !strings.Contains(o.stderr, "tesseract-ocr-eng") || !strings.Contains(o.stderr, "(page 2)") {
		t.Errorf("on standard error: %s", o.stderr)
	}
}
