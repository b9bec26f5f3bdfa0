package sanitize_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/sanitize"
)

// FuzzDocument sanitizes texts made of what values are made of, in runs, lines, elements and cells that break anywhere.
// What comes out has as many lines as what went in, keeps what is no value, and a second run finds nothing in it.
func FuzzDocument(f *testing.F) {
	for _, v := range values() {
		f.Add(v[0]+v[1]+" and more", uint64(0x123456789))
	}
	f.Add("a@b.co:1.2.3.4/8 +1 (2)3-4\nwww.x.yz/\n[EMAIL_1] tel 12345 x7", uint64(7))
	f.Add("{a,b}@c.de (at) d.com\u00AD\u200B<<<<<<<<<<\uFF10\u0660\U0001D7D8\xff", uint64(1<<40))
	f.Fuzz(func(t *testing.T, s string, breaks uint64) {
		if len(s) > 300 {
			return
		}
		once := fuzzDocument(s, breaks)
		sanitize.Document(once, "")
		first := texts(once)
		sanitize.Document(once, "")
		if diff := cmp.Diff(first, texts(once)); diff != "" {
			t.Errorf("%q, %x: a second run changes it:\n%s", s, breaks, diff)
		}
		if got, want := len(first), len(texts(fuzzDocument(s, breaks))); got != want {
			t.Errorf("%q, %x: %d runs, want %d", s, breaks, got, want)
		}
	})
}

// fuzzDocument makes a document of s. Each bit of breaks ends a run, every fourth a line, every eighth an element.
func fuzzDocument(s string, breaks uint64) *document.Document {
	page := document.Page{Number: 1}
	part, runs := []document.Line{}, []document.Run{}
	run := func(text string) {
		runs = append(runs, document.Run{Text: text, Superscript: breaks&(1<<60) != 0 && len(runs) == 1})
	}
	line := func(join uint64) {
		part = append(part, document.Line{Runs: runs, Join: document.Join(join % 3)})
		runs = nil
	}
	element := func(kind uint64) {
		e := document.Element{Kind: document.Paragraph, Page: 1, Lines: part, Continues: kind&1 != 0, Code: kind == 6}
		if kind == 4 {
			e = document.Element{Kind: document.Table, Page: 1, Grid: &document.Grid{Rows: 1, Cols: 1, Cells: []document.Cell{{RowSpan: 1, ColSpan: 1, Lines: part}}}}
		}
		page.Elements = append(page.Elements, e)
		part = nil
	}
	begin := 0
	for i := range s {
		at := uint64(i % 59)
		if i == 0 || breaks>>at&1 == 0 && s[i] != '\n' {
			continue
		}
		run(s[begin:i])
		begin = i
		if i%4 == 0 || s[i] == '\n' {
			line(breaks >> (at / 2))
		}
		if i%8 == 0 {
			element(breaks >> (at / 3) & 7)
		}
	}
	run(s[begin:])
	line(0)
	element(breaks & 7)
	return &document.Document{Meta: document.Meta{Title: s, Producer: s}, Pages: []document.Page{page}}
}

// texts are those of all runs of a document.
func texts(d *document.Document) []string {
	out := []string{d.Meta.Title, d.Meta.Producer}
	add := func(lines []document.Line) {
		for _, l := range lines {
			for _, r := range l.Runs {
				out = append(out, r.Text)
			}
		}
	}
	for _, p := range d.Pages {
		for _, e := range p.Elements {
			add(e.Lines)
			if e.Grid != nil {
				for _, c := range e.Grid.Cells {
					add(c.Lines)
				}
			}
		}
	}
	return out
}
