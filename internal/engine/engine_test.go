package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// warmCache compiles PDFium once for all tests. With the race detector on a busy machine that takes longer
// than any deadline here.
var warmCache = sync.OnceValue(func() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cache, err := pdftest.CacheDir()
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Command: []string{exe, "engine"}, Children: 1, CacheDir: cache})
	if err != nil {
		return err
	}
	return errors.Join(e.Warm(context.Background()), e.Close())
})

// newEngine gives an engine of n children for one test, with change applied to its configuration.
func newEngine(tb testing.TB, n int, change ...func(*engine.Config)) *engine.Engine {
	tb.Helper()
	if err := warmCache(); err != nil {
		tb.Fatal(err)
	}
	cache, err := pdftest.CacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	c := engine.Config{Command: childCommand(tb, "engine"), Children: n, CacheDir: cache}
	for _, f := range change {
		f(&c)
	}
	e, err := engine.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return e
}

// childCommand runs the test binary in a mode of TestMain.
func childCommand(tb testing.TB, mode string) []string {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return []string{exe, mode}
}

// save puts data into a file of its own.
func save(tb testing.TB, data []byte) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "in.pdf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// request asks for the given formats of a file with default options.
func request(tb testing.TB, path string, formats ...option.Format) engine.Request {
	tb.Helper()
	o := option.Default()
	if len(formats) > 0 {
		o.Format = formats
	}
	return engine.Request{Source: path, OutDir: tb.TempDir(), Stem: "out", Options: o}
}

func wantFault(t *testing.T, err error, kind fault.Kind, code string) {
	t.Helper()
	if f := fault.From(err); f == nil || f.Kind != kind || f.Code != code {
		t.Errorf("error %v, want a fault of kind %d with code %s", err, kind, code)
	}
}

// within gives a context that ends with the test, or after a time that only a hanging test needs.
func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	tb.Cleanup(cancel)
	return ctx
}

// mixed is a file with a page of text, an empty one and one that is only an image.
func mixed() []byte {
	b := pdftest.New()
	b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "text")
	b.Page(300, 300)
	b.Page(300, 300).Image(0, 0, 300, 300)
	b.Info("Title", "Mixed")
	return b.Bytes()
}

func encrypted() []byte {
	b := pdftest.New()
	b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "secret")
	return b.Encrypted("sesame", "owner")
}

func TestInspect(t *testing.T) {
	e := newEngine(t, 1)
	t.Run("tells what the file says of itself", func(t *testing.T) {
		got, err := e.Inspect(within(t), save(t, mixed()), "", false)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(engine.Info{Pages: 3, Meta: document.Meta{Title: "Mixed"}}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("deep finds the pages that show something without text", func(t *testing.T) {
		got, err := e.Inspect(within(t), save(t, mixed()), "", true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]int{3}, got.PagesWithoutText); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("opens an encrypted file with its password", func(t *testing.T) {
		got, err := e.Inspect(within(t), save(t, encrypted()), "sesame", false)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Encrypted || got.Pages != 1 {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFaults(t *testing.T) {
	e := newEngine(t, 1)
	for _, c := range []struct {
		name     string
		pdf      []byte
		password string
		code     string
	}{
		{"a file without PDF header", []byte("PK\x03\x04 something else"), "", "not_a_pdf"},
		{"a header too late to count", append(bytes.Repeat([]byte{' '}, 1100), pdftest.Text("x")...), "", "not_a_pdf"},
		{"an empty file", nil, "", "not_a_pdf"},
		{"a damaged file", pdftest.Damaged(), "", "damaged_pdf"},
		{"a missing password", encrypted(), "", "password_required"},
		{"a wrong password", encrypted(), "wrong", "wrong_password"},
		{"a file that needs too much memory", pdftest.Bomb(), "", "too_complex"},
		{"a file that claims too many pages", bytes.Replace(pdftest.Text("x"), []byte("/Count 1 "), []byte("/Count 123456 "), 1), "", "too_complex"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := e.Inspect(within(t), save(t, c.pdf), c.password, true)
			wantFault(t, err, fault.Invalid, c.code)
		})
	}
	t.Run("a file that is not there is our mistake", func(t *testing.T) {
		_, err := e.Inspect(within(t), filepath.Join(t.TempDir(), "none.pdf"), "", false)
		wantFault(t, err, fault.Internal, "internal")
	})
	t.Run("none of these cost more than one child", func(t *testing.T) {
		if n := len(e.Pids()); n != 1 {
			t.Errorf("%d children", n)
		}
	})
}

func TestDecrypt(t *testing.T) {
	e := newEngine(t, 1)
	src := save(t, encrypted())
	dst := filepath.Join(t.TempDir(), "plain.pdf")
	wantFault(t, e.Decrypt(within(t), src, dst, "wrong"), fault.Invalid, "wrong_password")
	if _, err := os.Stat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failure left the target: %v", err)
	}
	if err := e.Decrypt(within(t), src, dst, "sesame"); err != nil {
		t.Fatal(err)
	}
	if info, err := e.Inspect(within(t), dst, "", true); err != nil || info.Encrypted || len(info.PagesWithoutText) != 0 {
		t.Errorf("got %+v, %v", info, err)
	}
	if err := e.Decrypt(within(t), src, dst, "sesame"); fault.KindOf(err) != fault.Internal || err == nil {
		t.Errorf("an existing target: error %v", err)
	}
}

func TestConvert(t *testing.T) {
	e := newEngine(t, 1)
	t.Run("writes one file per format and tells their sizes", func(t *testing.T) {
		r := request(t, save(t, pdftest.Pages(3)), option.Markdown, option.Text, option.JSON)
		got, err := e.Convert(within(t), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, o := range got.Outputs {
			names = append(names, o.Name)
			data, err := os.ReadFile(filepath.Join(r.OutDir, o.Name))
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(data)) != o.Size || !bytes.Contains(data, []byte("Page 2 of 3")) {
				t.Errorf("%s: %d bytes said, %d there: %.80s", o.Name, o.Size, len(data), data)
			}
		}
		if diff := cmp.Diff([]string{"out.md", "out.txt", "out.json"}, names); diff != "" || got.Pages != 3 {
			t.Error(got.Pages, diff)
		}
	})
	t.Run("reports every page as it is done", func(t *testing.T) {
		var got []string
		_, err := e.Convert(within(t), request(t, save(t, pdftest.Pages(30))), func(done, total int) { got = append(got, fmt.Sprint(done, "/", total)) })
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 || got[len(got)-1] != "30/30" {
			t.Errorf("progress %v", got)
		}
	})
	t.Run("takes only the pages asked for", func(t *testing.T) {
		r := request(t, save(t, pdftest.Pages(5)), option.Text)
		r.Options.Pages = "2,4-5"
		total := 0
		if _, err := e.Convert(within(t), r, func(_, n int) { total = n }); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(r.OutDir, "out.txt"))
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range map[int]bool{1: false, 2: true, 3: false, 4: true, 5: true} {
			if got := bytes.Contains(data, fmt.Appendf(nil, "Page %d of 5", n)); got != want {
				t.Errorf("page %d present: %v", n, got)
			}
		}
		if total != 3 {
			t.Errorf("total %d", total)
		}
	})
	t.Run("a page past the end is the request's fault", func(t *testing.T) {
		r := request(t, save(t, pdftest.Pages(2)))
		r.Options.Pages = "3"
		_, err := e.Convert(within(t), r, nil)
		wantFault(t, err, fault.Invalid, "invalid_page_range")
		if f := fault.From(err); f.Facts["field"] != "pages" {
			t.Errorf("facts %v", f.Facts)
		}
	})
	t.Run("uses the password of the options", func(t *testing.T) {
		r := request(t, save(t, encrypted()))
		r.Options.Password = "sesame"
		if _, err := e.Convert(within(t), r, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("warns of pages without text", func(t *testing.T) {
		got, err := e.Convert(within(t), request(t, save(t, mixed())), nil)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(got.Warnings, func(w document.Warning) bool { return w.Code == "pages_without_text" })
		if i < 0 || !slices.Equal(got.Warnings[i].Pages, []int{3}) || got.Warnings[i].Message == "" {
			t.Errorf("warnings %+v", got.Warnings)
		}
	})
	t.Run("leaves out what lies off the page, unless told not to", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(300, 300)
		p.Text(50, 200, 12, pdftest.Regular, "Visible")
		p.Text(50, 400, 12, pdftest.Regular, "Above")
		path := save(t, b.Bytes())
		for _, off := range []string{"", "off-page", "all"} {
			r := request(t, path, option.Text)
			if off != "" {
				r.Options.ContentSafetyOff = []string{off}
			}
			if _, err := e.Convert(within(t), r, nil); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(r.OutDir, "out.txt"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(data, []byte("Visible")) || bytes.Contains(data, []byte("Above")) != (off != "") {
				t.Errorf("%q off: %q", off, data)
			}
		}
	})
	t.Run("refuses a stem that leaves the folder", func(t *testing.T) {
		r := request(t, save(t, pdftest.Text("x")))
		r.Stem = "../out"
		if _, err := e.Convert(within(t), r, nil); err == nil {
			t.Error("no error")
		}
	})
}

func TestDeadline(t *testing.T) {
	e := newEngine(t, 1)
	slow := save(t, pdftest.Slow())
	if err := e.Warm(within(t)); err != nil {
		t.Fatal(err)
	}
	busy := e.Pids()[0]

	t.Run("kills the child", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		_, err := e.Convert(ctx, request(t, slow), nil)
		wantFault(t, err, fault.Invalid, "timed_out")
		if slices.Contains(e.Pids(), busy) {
			t.Error("the child lives on")
		}
	})
	t.Run("the next request gets a new one", func(t *testing.T) {
		if _, err := e.Inspect(within(t), save(t, pdftest.Text("x")), "", true); err != nil {
			t.Error(err)
		}
	})
	t.Run("a cancelled request is neither done nor a fault", func(t *testing.T) {
		ctx, cancel := context.WithCancel(within(t))
		_, err := e.Convert(ctx, request(t, slow), func(int, int) { cancel() })
		if !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.Internal {
			t.Errorf("error %v", err)
		}
	})
	t.Run("waiting for a busy engine is not the file's fault", func(t *testing.T) {
		first, cancel := context.WithCancel(within(t))
		started, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = e.Convert(first, request(t, slow), func(int, int) { close(started) })
		}()
		<-started
		second, cancelSecond := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancelSecond()
		_, err := e.Inspect(second, save(t, pdftest.Text("x")), "", false)
		wantFault(t, err, fault.Unavailable, "engine_busy")
		cancel()
		<-ended
	})
}

func TestCrash(t *testing.T) {
	var log lockedBuffer
	e := newEngine(t, 1, func(c *engine.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	t.Run("a request whose children die spoils no other", func(t *testing.T) {
		r := request(t, save(t, pdftest.Slow()))
		r.Options.Password = "hush-hush"
		_, err := e.Convert(within(t), r, func(int, int) { killProcess(t, e.Pids()[0]) })
		wantFault(t, err, fault.Invalid, "too_complex")
		if !strings.Contains(log.String(), "killed") {
			t.Errorf("the log does not say how it ended: %s", log.String())
		}
		if strings.Contains(log.String()+err.Error(), "hush") {
			t.Error("the password was logged")
		}
		if _, err := e.Inspect(within(t), save(t, pdftest.Text("x")), "", false); err != nil {
			t.Error(err)
		}
	})
	t.Run("a child that is killed once is replaced, and its request is done all the same", func(t *testing.T) {
		var kill sync.Once
		_, err := e.Convert(within(t), request(t, save(t, pdftest.Pages(100))), func(int, int) {
			kill.Do(func() { killProcess(t, e.Pids()[0]) })
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("a child that dies idle is replaced", func(t *testing.T) {
		pid := e.Pids()[0]
		killProcess(t, pid)
		waitFor(t, func() bool { return !slices.Contains(e.Pids(), pid) })
		if _, err := e.Inspect(within(t), save(t, pdftest.Text("x")), "", false); err != nil {
			t.Error(err)
		}
	})
}

// lockedBuffer is a buffer that a logger may write to from anywhere.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// waitFor waits until a process has changed its state, which nobody announces.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}

func TestPool(t *testing.T) {
	const children = 2
	e := newEngine(t, children)
	path := save(t, pdftest.Pages(20))
	requests := make([]engine.Request, 8)
	for i := range requests {
		requests[i] = request(t, path)
	}
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() {
			_, err := e.Convert(within(t), r, func(int, int) {
				if n := len(e.Pids()); n > children {
					t.Errorf("%d children at once", n)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestClose(t *testing.T) {
	e := newEngine(t, 2)
	slow := request(t, save(t, pdftest.Slow()))
	started, failed := make(chan struct{}), make(chan error)
	go func() {
		_, err := e.Convert(within(t), slow, func(int, int) { close(started) })
		failed <- err
	}()
	<-started
	if err := e.Warm(within(t)); err != nil {
		t.Fatal(err)
	}
	pids := e.Pids()
	if len(pids) != 2 {
		t.Fatalf("%d children, want a busy and an idle one", len(pids))
	}
	if err := errors.Join(e.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if processAlive(pid) {
			t.Errorf("child %d lives on", pid)
		}
	}
	wantFault(t, <-failed, fault.Unavailable, "shutting_down")
	_, err := e.Inspect(within(t), slow.Source, "", false)
	wantFault(t, err, fault.Unavailable, "shutting_down")
}

func TestNew_refuses_nonsense(t *testing.T) {
	for name, c := range map[string]engine.Config{
		"no command":            {Children: 1},
		"no children":           {Command: []string{"x"}},
		"hardly any memory":     {Command: []string{"x"}, Children: 1, MemoryLimit: 1 << 20},
		"a negative child more": {Command: []string{"x"}, Children: -1},
	} {
		if e, err := engine.New(c); err == nil {
			t.Errorf("%s: accepted", name)
			_ = e.Close()
		}
	}
}

func TestStart_failures_are_ours(t *testing.T) {
	for name, command := range map[string][]string{
		"a program that is not there":   {filepath.Join(t.TempDir(), "none")},
		"a child that talks nonsense":   childCommand(t, "garbage"),
		"a child that ends at once":     childCommand(t, "quit"),
		"a cache that others can write": nil,
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngine(t, 1, func(c *engine.Config) {
				if command != nil {
					c.Command = command
					return
				}
				c.CacheDir = t.TempDir()
				if err := os.Chmod(c.CacheDir, 0o777); err != nil {
					t.Fatal(err)
				}
			})
			err := e.Warm(within(t))
			if err == nil || fault.KindOf(err) != fault.Internal {
				t.Errorf("error %v", err)
			}
			if err := e.Check(within(t)); err == nil {
				t.Error("readiness does not tell")
			}
			if n := len(e.Pids()); n > 0 {
				t.Errorf("%d children left", n)
			}
		})
	}
}
