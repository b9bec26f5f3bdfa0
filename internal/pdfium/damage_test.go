package pdfium

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// xrefStreamFile is a file whose cross-references are in a stream, which ours are not.
func xrefStreamFile() []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n")
	at := b.Len()
	b.WriteString("7 0 obj\n<< /Type /XRef /Size 8 /W [1 2 1] /Root 1 0 R /Length 4 >>\nstream\n....\nendstream\nendobj\n")
	fmt.Fprintf(&b, "startxref\n%d\n%%%%EOF\n", at)
	return b.Bytes()
}

// updated is a file to which an empty update was appended, with its trailer's /Prev.
func updated(pdf []byte, prev int) []byte {
	pdf = append(bytes.Clone(pdf), '\n')
	at := len(pdf)
	return fmt.Appendf(pdf, "xref\n0 0\ntrailer\n<< /Size 9 /Prev %d >>\nstartxref\n%d\n%%%%EOF\n", prev, at)
}

func TestDamagedReferences(t *testing.T) {
	plain := pdftest.Pages(3)
	table := bytes.LastIndex(plain, []byte("\nxref")) + 1
	change := func(old, with string) []byte {
		changed := bytes.Replace(plain, []byte(old), []byte(with), 1)
		if bytes.Equal(changed, plain) {
			t.Fatalf("the file has no %q", old)
		}
		return changed
	}
	for name, c := range map[string]struct {
		pdf     []byte
		damaged bool
	}{
		"a sound file":                            {plain, false},
		"a sound file with space behind it":       {append(bytes.Clone(plain), strings.Repeat(" \n", 1000)...), false},
		"something before the header":             {append([]byte("MIME\r\n\r\n"), plain...), false},
		"cross-references in a stream":            {xrefStreamFile(), false},
		"an update":                               {updated(plain, table), false},
		"an update of an update":                  {updated(updated(plain, table), len(plain)+1), false},
		"a history without beginning":             {updated(plain, 0), false},
		"no startxref":                            {change("startxref", "startxxxx"), true},
		"the end cut off":                         {plain[:len(plain)-100], true},
		"a startxref into nothing":                {change(fmt.Sprintf("startxref\n%d", table), fmt.Sprintf("startxref\n%d", table-30)), true},
		"a startxref beyond the end":              {change(fmt.Sprintf("startxref\n%d", table), "startxref\n99999999999"), true},
		"bytes lost in the middle":                {append(bytes.Clone(plain[:200]), plain[230:]...), true},
		"line ends converted":                     {bytes.ReplaceAll(plain, []byte("\n"), []byte("\r\n")), true},
		"an entry that leads to another object":   {change("2 0 obj", "9 0 obj"), true},
		"numbers that are one too high":           {change("xref\n0 ", "xref\n1 "), true},
		"more entries than the file has room for": {change("xref\n0 ", "xref\n0 99999"), true},
		"an update of nothing":                    {updated(plain, 5), true},
		"updates in a circle":                     {updated(plain, len(plain)+1), true},
		"no header":                               {change("%PDF-", "%XDF-"), true},
		"no bytes":                                {nil, true},
	} {
		if got := damagedReferences(bytes.NewReader(c.pdf), int64(len(c.pdf))); got != c.damaged {
			t.Errorf("%s: damaged %v", name, got)
		}
	}
}

// Of public documents, those in daily use are sound, and most of those collected for being damaged are not.
func TestDamagedReferences_of_the_corpora(t *testing.T) {
	count := func(pattern string) (all, damaged int) {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			pdf, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			all++
			if damagedReferences(bytes.NewReader(pdf), int64(len(pdf))) {
				damaged++
			}
		}
		return all, damaged
	}
	for _, dir := range []string{"bench/pdfs", "corpus/documents"} {
		if all, damaged := count(filepath.Join(pdftest.Shared(t, dir), "*.pdf")); all == 0 || damaged > 0 {
			t.Errorf("%s: %d of %d files count as damaged", dir, damaged, all)
		}
	}
	index, err := os.ReadFile(filepath.Join(pdftest.Shared(t, "corpus/robustness"), "index.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	all, found := 0, 0
	for line := range strings.Lines(string(index)) {
		if fields := strings.Split(line, "\t"); fields[1] == "damaged-recoverable" {
			_, damaged := count(filepath.Join(pdftest.Shared(t, "corpus/robustness"), fields[0]))
			all, found = all+1, found+damaged
		}
	}
	if all == 0 || 2*found < all {
		t.Errorf("%d of %d damaged files are seen to be", found, all)
	}
}

// FuzzDamagedReferences feeds arbitrary bytes: the walk ends, whatever they say.
func FuzzDamagedReferences(f *testing.F) {
	plain := pdftest.Pages(1)
	f.Add(plain)
	f.Add(xrefStreamFile())
	f.Add(updated(plain, bytes.LastIndex(plain, []byte("\nxref"))+1))
	f.Add([]byte("%PDF-1.7\nxref\n0 9999999999\ntrailer\nstartxref\n9"))
	f.Fuzz(func(_ *testing.T, pdf []byte) {
		damagedReferences(bytes.NewReader(pdf), int64(len(pdf)))
	})
}
