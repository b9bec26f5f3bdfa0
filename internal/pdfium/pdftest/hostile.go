package pdftest

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// Slow is a small, valid file of two pages. The second one takes minutes to load: it applies a graphics
// state of five thousand entries two million times. It needs little memory.
func Slow() []byte {
	b := New()
	b.Page(612, 792).Text(72, 700, 12, Regular, "This page does not.")
	p := b.Page(612, 792)
	p.Text(72, 700, 12, Regular, "This page takes a while.")
	var state strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&state, "/Entry%d 0 ", i)
	}
	p.streams = []attachment{{dict: state.String(), category: "ExtGState", entry: "/Slow %d 0 R"}}
	p.compressed = true
	p.Raw(strings.Repeat("/Slow gs\n", 2_000_000))
	return b.Bytes()
}

// Bomb is a small, valid one-page file that needs far more memory than any limit: forms that each show
// the next one ten times, eight deep.
func Bomb() []byte {
	b := New()
	p := b.Page(612, 792)
	p.Text(72, 700, 12, Regular, "This page takes a lot.")
	p.streams = []attachment{{dict: formDict, data: "0 0 m 9 9 l S"}}
	for range 8 {
		p.streams = append(p.streams, attachment{dict: formDict + " /Resources << /XObject << /N %d 0 R >> >>", data: strings.Repeat("/N Do ", 10)})
	}
	outermost := &p.streams[len(p.streams)-1]
	outermost.category, outermost.entry = "XObject", "/N %d 0 R"
	p.Raw("/N Do")
	return b.Bytes()
}

// Damaged is a file with a PDF header and nothing else that makes sense.
func Damaged() []byte {
	return []byte("%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 9 0 R >>\nendobj\ntrailer\n<< /Root 1 0 R >>\nstartxref\n7\n%%EOF\n")
}

func deflate(s string) string {
	var buf bytes.Buffer
	z := zlib.NewWriter(&buf)
	if _, err := z.Write([]byte(s)); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return buf.String()
}
