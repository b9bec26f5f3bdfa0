package httpapi_test

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/queue"
	"github.com/ragify/ragify/internal/webhook"
)

// inspector is the real engine as the API sees it.
type inspector struct{ *engine.Engine }

func (i inspector) Inspect(ctx context.Context, path, password string, deep bool) (httpapi.Inspection, error) {
	info, err := i.Engine.Inspect(ctx, path, password, deep)
	return httpapi.Inspection{Pages: info.Pages, Encrypted: info.Encrypted, PagesWithoutText: info.PagesWithoutText, Warnings: info.Warnings}, err
}

// realWorld has nothing fake: the real engine and queue work off what is uploaded, with results and uploads in real
// directories. dirs are all that hold files of a job for a while. changes are made to the queue's configuration before.
func realWorld(t *testing.T, changes ...func(*queue.Config)) (w *world, dirs []string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Command: []string{exe, "engine"}, Children: 2, CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	w = newWorld(t, func(d *httpapi.Deps) { d.Engine = inspector{e} })
	working := t.TempDir()
	webhooks, err := webhook.New(webhook.Config{
		SigningKeys: [][]byte{[]byte("key")}, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := queue.Config{
		Pool: w.pool, Store: w.store, Engine: e, Blobs: w.blobs, Webhooks: webhooks,
		Workers: 2, TempDir: working, Logger: w.deps.Logger,
	}
	for _, change := range changes {
		change(&c)
	}
	if w.queue, err = queue.New(c); err != nil {
		t.Fatal(err)
	}
	if err := w.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.queue.Stop(context.Background()) })
	return w, []string{w.blobDir, w.deps.TempDir, working}
}

func TestEndToEnd(t *testing.T) {
	w, _ := realWorld(t)
	u := w.user(plan.Pro)
	encrypted := pdftest.New()
	encrypted.Page(612, 792).Text(72, 700, 11, pdftest.Regular, "Nobody may read this.")

	t.Run("a PDF becomes Markdown", func(t *testing.T) {
		got := u.in(t).result(form{{"file", "pages.pdf", string(pdftest.Pages(3))}, {"options", "", `{"pages": "2-3"}`}})
		if !strings.Contains(got, "Page 2 of 3") || !strings.Contains(got, "Page 3 of 3") || strings.Contains(got, "Page 1 of 3") {
			t.Errorf("%s", got)
		}
	})
	t.Run("an encrypted PDF opens with its password", func(t *testing.T) {
		u := u.in(t)
		file := field{"file", "secret.pdf", string(encrypted.Encrypted("pass", "owner"))}
		u.upload(form{file}).fails(http.StatusBadRequest, "password_required")
		u.upload(form{file, {"options", "", `{"password": "guess"}`}}).fails(http.StatusBadRequest, "wrong_password")
		if got := u.result(form{file, {"options", "", `{"password": "pass"}`}}); !strings.Contains(got, "Nobody may read this.") {
			t.Errorf("%s", got)
		}
	})
	t.Run("a damaged PDF is refused", func(t *testing.T) {
		u.in(t).upload(form{{"file", "x.pdf", string(pdftest.Damaged())}}).fails(http.StatusBadRequest, "damaged_pdf")
	})
	t.Run("a dry run finds pages without text", func(t *testing.T) {
		b := pdftest.New()
		b.Page(612, 792).Text(72, 700, 11, pdftest.Regular, "Text.")
		b.Page(612, 792).Image(72, 72, 400, 400)
		got := u.in(t).uploadTo("/jobs?dry_run=true", form{{"file", "x.pdf", string(b.Bytes())}}).want(http.StatusOK).object()
		if pages := got["pages_without_text"].([]any); got["page_count"] != 2.0 || len(pages) != 1 || pages[0] != 2.0 {
			t.Errorf("%v", got)
		}
	})
	testPictures(t, w)
	if counter, jobs := u.activeJobs(); counter != 0 || jobs != 0 || u.pagesUsed() != 3 {
		t.Errorf("counter %d, active jobs %d, %d pages used", counter, jobs, u.pagesUsed())
	}
}

// result uploads a form, follows the job to its end and downloads the Markdown.
func (u user) result(f form) string {
	u.world.t.Helper()
	return u.download(u.links(f)["markdown"])
}

// download gets what a signed link leads to.
func (u user) download(link string) string {
	w := u.world
	w.t.Helper()
	return string(w.send(http.MethodGet, strings.TrimPrefix(link, w.server.URL), nil).want(http.StatusOK).body)
}

// links uploads a form, follows the job to its end and gives its download links by format.
func (u user) links(f form) map[string]string {
	w := u.world
	w.t.Helper()
	id := u.upload(f).want(http.StatusCreated).object()["id"].(string)
	var last event
	for e := range u.follow(id) {
		last = e
	}
	if last.name != "status" || last.data["status"] != "done" {
		w.t.Fatalf("last event %v", last)
	}
	if progress := last.data["progress"].(map[string]any); progress["pages_done"] != progress["pages_total"] {
		w.t.Errorf("done with progress %v", progress)
	}
	links := make(map[string]string)
	for format, link := range last.data["download_urls"].(map[string]any) {
		links[format] = link.(string)
	}
	return links
}
