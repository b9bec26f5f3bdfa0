package layout_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/layout"
	"github.com/ragify/ragify/internal/option"
)

var update = flag.Bool("update", false, "write what the code gives as the expected output of the golden cases")

// A golden case is an archive with the pages ("content", see parseContent), job options ("options", JSON, may be
// missing) and every output. Its comment says which rule it shows. After a change that is meant:
//
//	go test ./internal/layout -run TestGolden -update && git diff
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name[:len(name)-len(".txtar")], func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(bytes.TrimSpace(archive.Comment)) == 0 {
				t.Error("the case does not say which rule it shows")
			}
			o := option.Default()
			if raw := section(archive, "options"); raw != nil {
				if err := json.Unmarshal(raw, &o); err != nil {
					t.Fatalf("options: %v", err)
				}
			}
			doc := analyse(t, string(section(archive, "content")), o)
			checkGolden(t, path, archive, doc, o)
			if err := exporttest.Check(doc, o); err != nil {
				t.Error(err)
			}
		})
	}
}

func section(a *txtar.Archive, name string) []byte {
	for _, f := range a.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func analyse(t *testing.T, source string, o option.Options) *document.Document {
	t.Helper()
	pages, outline, err := parseContent(source)
	if err != nil {
		t.Fatal(err)
	}
	a := layout.New(layout.Options{
		ReadingOrder: o.ReadingOrder, TableMethod: o.TableMethod, KeepHeaderFooter: o.IncludeHeaderFooter,
		Strikethrough: o.DetectStrikethrough, StructTree: o.UseStructTree,
	})
	for i := range pages {
		a.Add(&pages[i])
	}
	return a.Document(document.Meta{Title: "Golden"}, outline, len(pages))
}

func checkGolden(t *testing.T, path string, archive *txtar.Archive, doc *document.Document, o option.Options) {
	t.Helper()
	changed := false
	for _, out := range []struct {
		file   string
		format option.Format
	}{{"markdown", option.Markdown}, {"text", option.Text}, {"html", option.HTML}, {"document.json", option.JSON}} {
		var b bytes.Buffer
		if err := export.Write(&b, out.format, doc, o); err != nil {
			t.Fatal(err)
		}
		got := b.Bytes()
		if out.format == option.HTML {
			got = body(t, got)
		}
		want := section(archive, out.file)
		if *update {
			changed = setSection(archive, out.file, got) || changed
			continue
		}
		// An archive ends each file with a line end.
		if diff := cmp.Diff(string(want), string(endLine(got))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", out.file, diff)
		}
	}
	if changed {
		if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// body is what changes from page to page of HTML: the head is the same in all cases, and long.
func body(t *testing.T, page []byte) []byte {
	t.Helper()
	_, after, ok := bytes.Cut(page, []byte("<main>\n"))
	if !ok {
		t.Fatalf("no main in %s", page)
	}
	return bytes.TrimSuffix(after, []byte("</main>\n</body>\n</html>\n"))
}

func endLine(b []byte) []byte {
	if len(b) > 0 && b[len(b)-1] != '\n' {
		return append(b, '\n')
	}
	return b
}

// setSection puts an output into a case; the JSON, with its long lines, stays last.
func setSection(a *txtar.Archive, name string, data []byte) (changed bool) {
	for i := range a.Files {
		if a.Files[i].Name == name {
			changed = !bytes.Equal(a.Files[i].Data, data)
			a.Files[i].Data = data
			return changed
		}
	}
	added := txtar.File{Name: name, Data: data}
	if n := len(a.Files); n > 0 && a.Files[n-1].Name == "document.json" {
		a.Files = slices.Insert(a.Files, n-1, added)
	} else {
		a.Files = append(a.Files, added)
	}
	return true
}
