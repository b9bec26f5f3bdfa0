package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	env := environ(t, t.TempDir())
	one := write(t, "one.pdf", pdftest.Pages(3))
	t.Run("one format of one file goes to standard output", func(t *testing.T) {
		out := ragifyOK(t, env, "parse", one)
		if !strings.Contains(out, "Page 1 of 3") || !strings.Contains(out, "Page 3 of 3") {
			t.Errorf("Markdown %q", out)
		}
	})
	t.Run("options apply", func(t *testing.T) {
		out := ragifyOK(t, env, "parse", "-f", "text", "--options", `{"pages":"2"}`, one)
		if strings.Contains(out, "Page 1 of 3") || !strings.Contains(out, "Page 2 of 3") {
			t.Errorf("text of page 2: %q", out)
		}
	})
	t.Run("files and folders go to a folder, in every format", func(t *testing.T) {
		dir := t.TempDir()
		for _, name := range []string{"a.pdf", "deep/down/B.PDF", "notes.txt"} {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, pdftest.Pages(1), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		out := filepath.Join(t.TempDir(), "made", "here")
		ragifyOK(t, env, "parse", "-f", "markdown,json,html,text", "-o", out, "--jobs", "2", one, dir)
		for _, stem := range []string{"one", "a", "deep/down/B"} {
			for _, extension := range []string{".md", ".json", ".html", ".txt"} {
				b, err := os.ReadFile(filepath.Join(out, stem+extension))
				if err != nil || !bytes.Contains(b, []byte("Page 1 of")) {
					t.Errorf("%s%s: %q, %v", stem, extension, b, err)
				}
			}
		}
		if left := tree(t, out); len(left) != 12 {
			t.Errorf("files %v, want 12", left)
		}
	})
	t.Run("external pictures are an archive beside the text", func(t *testing.T) {
		b := pdftest.New()
		b.Page(300, 300).Paint([6]float64{100, 0, 0, 100, 50, 50}, pdftest.RGB(100, 100, func(x, y int) uint32 { return uint32(x * y) }))
		pictured, out := write(t, "pictured.pdf", b.Bytes()), t.TempDir()
		options := `{"image_output":"external","ocr":"off"}`
		ragifyOK(t, env, "parse", "--options", options, "-o", out, pictured)
		if left := tree(t, out); !slices.Equal(left, []string{"pictured.md", "pictured_images.zip"}) {
			t.Errorf("files %v", left)
		}
		if o := ragify(t, env, "parse", "--options", options, pictured); o.code != exitUsage || !strings.Contains(o.stderr, "-o") {
			t.Errorf("without a folder: exit status %d, standard error %q", o.code, o.stderr)
		}
		if got := ragifyOK(t, env, "parse", "--options", `{"image_output":"embedded","ocr":"off"}`, pictured); !strings.HasPrefix(got, "![](data:image/png;base64,") {
			t.Errorf("%.60s", got)
		}
	})
	t.Run("each format has a file name of its own", func(t *testing.T) {
		out := t.TempDir()
		ragifyOK(t, env, "parse", "-f", "markdown,json,html,text,chunks,tagged-pdf,annotated-pdf", "--options", `{"image_output":"external"}`, "-o", out, one)
		want := []string{"one.annotated.pdf", "one.chunks.jsonl", "one.html", "one.json", "one.md", "one.tagged.pdf", "one.txt", "one_images.zip"}
		if diff := cmp.Diff(want, tree(t, out)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an encrypted file opens with its password, and says what its results are not", func(t *testing.T) {
		b := pdftest.New()
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "between us")
		locked := write(t, "locked.pdf", b.EncryptedAs(pdftest.AES128, "Zürich", "owner"))
		o := ragify(t, env, "parse", "--options", `{"password":"Zürich"}`, locked)
		if o.code != exitOK || o.stdout != "between us\n" || !strings.Contains(o.stderr, "encrypted") || strings.Contains(o.stderr, "Zürich") {
			t.Errorf("%+v", o)
		}
		for options, want := range map[string]string{`{}`: "give its password", `{"password":"guess"}`: "does not open"} {
			if o := ragify(t, env, "parse", "--options", options, locked); o.code != exitFailure || !strings.Contains(o.stderr, want) || strings.Contains(o.stderr, "guess") {
				t.Errorf("%s: %+v", options, o)
			}
		}
	})
	t.Run("failed files are named and the others made", func(t *testing.T) {
		bad, out := write(t, "bad.pdf", pdftest.Damaged()), t.TempDir()
		o := ragify(t, env, "parse", "-o", out, bad, one, "missing.pdf")
		if o.code != exitFailure {
			t.Errorf("exit status %d, want 1", o.code)
		}
		for _, want := range []string{bad + ": ", "missing.pdf: no such file"} {
			if !strings.Contains(o.stderr, want) {
				t.Errorf("standard error %q lacks %q", o.stderr, want)
			}
		}
		if left := tree(t, out); len(left) != 1 || left[0] != "one.md" {
			t.Errorf("files %v, want one.md alone", left)
		}
	})
	t.Run("names of files command no terminal, and messages stay a line each", func(t *testing.T) {
		name := "two\nlines \x1b[2J.pdf"
		hostile := write(t, name, pdftest.Pages(1))
		out, drawn := t.TempDir(), t.TempDir()
		o := ragify(t, env, "parse", "-o", out, "--debug", drawn, hostile, "not\nthere.pdf")
		if o.code != exitFailure || strings.Count(o.stderr, "\n") != 2 || strings.Contains(o.stderr, "\x1b") {
			t.Errorf("exit status %d, standard error %q", o.code, o.stderr)
		}
		if diff := cmp.Diff([]string{strings.TrimSuffix(name, ".pdf") + ".md"}, tree(t, out)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a link to a folder is the folder, and a file named twice is made once", func(t *testing.T) {
		dir, out := t.TempDir(), t.TempDir()
		link := filepath.Join(t.TempDir(), "link")
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "a.pdf"), pdftest.Pages(1), 0o600),
			os.WriteFile(filepath.Join(dir, ".pdf"), pdftest.Pages(1), 0o600), os.Symlink(dir, link)); err != nil {
			t.Fatal(err)
		}
		ragifyOK(t, env, "parse", "-o", out, link, filepath.Join(link, "a.pdf"))
		if diff := cmp.Diff([]string{".pdf.md", "a.md"}, tree(t, out)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("what holds no PDF is named", func(t *testing.T) {
		empty := t.TempDir()
		if o := ragify(t, env, "parse", "-o", t.TempDir(), empty, one); o.code != exitFailure || o.stderr != empty+": no PDF in this folder\n" {
			t.Errorf("%+v", o)
		}
		if o := ragify(t, env, "parse", empty); o.code != exitFailure || o.stderr != empty+": no PDF in this folder\n" {
			t.Errorf("%+v", o)
		}
		if o := ragify(t, env, "parse", os.DevNull); o.code != exitFailure || !strings.HasPrefix(o.stderr, os.DevNull+": neither a file nor a folder") {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a file that takes too long is told how to get more time", func(t *testing.T) {
		if o := ragify(t, env, "parse", "--timeout", "1ns", one); o.code != exitFailure || !strings.Contains(o.stderr, "--timeout allows more") {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a reader that goes away leaves nothing behind", func(t *testing.T) {
		temp := t.TempDir()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd := program(t, append(slices.Clone(env), "TMPDIR="+temp), "parse", one)
		cmd.Stdout = w
		if err := errors.Join(r.Close(), cmd.Start(), w.Close()); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Error("it did not notice")
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%v, %v are left", left, err)
		}
	})
	t.Run("a password opens an encrypted file", func(t *testing.T) {
		b := pdftest.New()
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "between us")
		locked := write(t, "locked.pdf", b.Encrypted("user", "owner"))
		if out := ragifyOK(t, env, "parse", "--options", `{"password":"user"}`, locked); !strings.Contains(out, "between us") {
			t.Errorf("Markdown %q", out)
		}
		for _, options := range []string{`{}`, `{"password":"wrong"}`} {
			if o := ragify(t, env, "parse", "--options", options, locked); o.code != exitFailure || !strings.Contains(o.stderr, "password") || o.stdout != "" {
				t.Errorf("options %s: %+v", options, o)
			}
		}
	})
	t.Run("--debug draws every page of every file, and says where", func(t *testing.T) {
		drawn := filepath.Join(t.TempDir(), "why")
		two := write(t, "two.pdf", pdftest.Pages(2))
		o := ragify(t, env, "parse", "--debug", drawn, one, two)
		if o.code != exitOK || o.stdout != "" {
			t.Fatalf("%+v", o)
		}
		for _, path := range []string{"one", "two"} {
			if index := filepath.Join(drawn, path, "index.html"); !strings.Contains(o.stderr, "see "+index) {
				t.Errorf("standard error %q does not name %s", o.stderr, index)
			}
		}
		want := []string{
			"one/index.html", "one/page-0001.svg", "one/page-0002.svg", "one/page-0003.svg",
			"two/index.html", "two/page-0001.svg", "two/page-0002.svg",
		}
		if diff := cmp.Diff(want, tree(t, drawn)); diff != "" {
			t.Error(diff)
		}
		page, err := os.ReadFile(filepath.Join(drawn, "two", "page-0002.svg"))
		for _, part := range []string{"data:image/png;base64,", "Page 2 of 2", `<g id="e1" class="`, `<g id="lines">`, "</svg>"} {
			if err != nil || !bytes.Contains(page, []byte(part)) {
				t.Errorf("%v: the page lacks %s", err, part)
			}
		}
	})
	t.Run("--debug goes with results and with options", func(t *testing.T) {
		drawn, out := t.TempDir(), t.TempDir()
		ragifyOK(t, env, "parse", "--debug", drawn, "-o", out, "--options", `{"pages":"2"}`, one)
		if diff := cmp.Diff([]string{"one.md"}, tree(t, out)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"one/index.html", "one/page-0002.svg"}, tree(t, drawn)); diff != "" {
			t.Error(diff)
		}
		if out := ragifyOK(t, env, "parse", "--debug", drawn, "-f", "text", one); !strings.Contains(out, "Page 3 of 3") {
			t.Errorf("text %q", out)
		}
	})
	t.Run("what cannot be carried out is a usage error", func(t *testing.T) {
		for name, args := range map[string][]string{
			"nothing to do":            {},
			"several files, no folder": {one, one},
			"several formats":          {"-f", "markdown,json", one},
			"unknown format":           {"-f", "word", one},
			"unknown option":           {"--options", `{"page":"1"}`, one},
			"options are not JSON":     {"--options", `pages=1`, one},
			"no jobs":                  {"--jobs", "0", one},
			"a file for a folder":      {"-o", one, one},
			"drawings into a file":     {"--debug", one, one},
			"results that collide":     {"-o", t.TempDir(), one, write(t, "one.pdf", pdftest.Pages(1))},
		} {
			if o := ragify(t, env, append([]string{"parse"}, args...)...); o.code != exitUsage || o.stdout != "" || !strings.HasPrefix(o.stderr, "ragify: ") {
				t.Errorf("%s: %+v", name, o)
			}
		}
	})
}

// tree lists the files below dir.
func tree(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files = append(files, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
