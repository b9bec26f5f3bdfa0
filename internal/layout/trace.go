package layout

import (
	"fmt"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// A Trace is what the stages saw and made of one page, for people who look for the reason of an error. Its boxes
// are in page coordinates and in the order of their making.
type Trace struct {
	Page          int     // 1-based
	Width, Height float64 // points
	Boxes         []TraceBox
}

// A TraceBox is one thing on a page, as one stage had it.
type TraceBox struct {
	Layer TraceLayer
	Box   document.Box
	Note  string // what the stage knew of it, for people; "" for glyphs
}

// A TraceLayer tells which stage a box comes from.
type TraceLayer string

// The layers, in the order of the stages.
const (
	TraceGlyphs    TraceLayer = "glyphs"    // characters that are part of the text
	TraceInvalid   TraceLayer = "invalid"   // those of them that no character is known for
	TraceFragments TraceLayer = "fragments" // stretches of a line without a wide gap
	TraceEdges     TraceLayer = "edges"     // lines and sides of boxes, joined
	TraceTables    TraceLayer = "tables"    // tables and figures that rules and drawings show; other tables come with the columns
	TraceColumns   TraceLayer = "columns"   // leaves of the cuts, in reading order
	TraceLines     TraceLayer = "lines"     // lines of blocks and of table cells
	TraceBlocks    TraceLayer = "blocks"    // paragraphs, items, tables and figures before the document stages
)

// A tracer collects the trace of a page. The nil tracer, which is there when nobody asked, does nothing.
type tracer struct {
	frame frame
	trace Trace
}

// trace begins the trace of a page; nil when nobody wants one.
func (a *Analyzer) trace(c *document.Content, f frame) *tracer {
	if a.options.Trace == nil {
		return nil
	}
	return &tracer{f, Trace{Page: c.Number, Width: c.Width, Height: c.Height}}
}

// mark adds a box of the frame.
func (t *tracer) mark(l TraceLayer, b document.Box, note string) {
	t.trace.Boxes = append(t.trace.Boxes, TraceBox{l, round(t.frame.back(b)), note})
}

func (t *tracer) glyphs(list []glyph) {
	if t == nil {
		return
	}
	for i := range list {
		switch g := &list[i]; {
		case g.space:
		case g.r == invalidRune:
			t.mark(TraceInvalid, g.box, "no character is known for this glyph")
		default:
			t.mark(TraceGlyphs, g.box, "")
		}
	}
}

func (t *tracer) fragments(list []fragment) {
	if t == nil {
		return
	}
	for i := range list {
		f := &list[i]
		note := fmt.Sprintf("%q\n%.1f pt, %d characters", f.text(), f.size, f.runes)
		if f.turned {
			note += ", turned"
		}
		t.mark(TraceFragments, f.box, note)
	}
}

func (t *tracer) edges(e edges) {
	if t == nil {
		return
	}
	note := func(e edge, axis string) string {
		kind := "line"
		if e.fill {
			kind = "side of a background"
		}
		return fmt.Sprintf("%s at %s = %.1f, %.1f pt long", kind, axis, e.at, e.length())
	}
	for _, h := range e.horizontal {
		t.mark(TraceEdges, document.Box{Left: h.from, Top: h.at, Right: h.to, Bottom: h.at}, note(h, "y"))
	}
	for _, v := range e.vertical {
		t.mark(TraceEdges, document.Box{Left: v.at, Top: v.from, Right: v.at, Bottom: v.to}, note(v, "x"))
	}
}

// found notes tables and figures that are found before the cuts; how says by what.
func (t *tracer) found(list []*block, how string) {
	if t == nil {
		return
	}
	for _, b := range list {
		note := fmt.Sprintf("%s, %s", b.kind, how)
		if b.grid != nil {
			note += fmt.Sprintf(": %d × %d", b.grid.Rows, b.grid.Cols)
		}
		t.mark(TraceTables, b.box, note)
	}
}

func (t *tracer) columns(list []leaf) {
	if t == nil {
		return
	}
	for i, l := range list {
		var box document.Box
		for _, a := range l.atoms {
			box = box.Union(document.Box{Left: a.left, Top: a.top, Right: a.right, Bottom: a.bottom})
		}
		t.mark(TraceColumns, box, fmt.Sprintf("column %d, %d fragments and tables", i+1, len(l.atoms)))
	}
}

// blocks notes the blocks and their lines. Call it while they have them.
func (t *tracer) blocks(list []*block) {
	if t == nil {
		return
	}
	for i, b := range list {
		for k := range b.lines {
			l := &b.lines[k]
			t.mark(TraceLines, l.box, fmt.Sprintf("%q\n%s, baseline %.1f", l.text(), l.style.traceNote(), l.base))
		}
		if b.grid != nil {
			for _, c := range b.grid.Cells {
				for _, l := range c.Lines {
					t.mark(TraceLines, l.Box, fmt.Sprintf("row %d, column %d", c.Row+1, c.Col+1))
				}
			}
		}
		t.mark(TraceBlocks, b.box, b.traceNote(i+1))
	}
}

// traceNote tells what the document stages decide by.
func (b *block) traceNote(n int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "block %d: %s", n, b.kind)
	if b.leaf >= 0 {
		fmt.Fprintf(&s, " in column %d", b.leaf+1)
	}
	if len(b.lines) > 0 {
		fmt.Fprintf(&s, "\n%s, %.1f em above, %.1f em below", b.style.traceNote(), b.above, b.below)
	}
	if b.mark.text != "" {
		fmt.Fprintf(&s, "\nmark %q", b.mark.text)
	}
	if b.grid != nil {
		fmt.Fprintf(&s, "\n%d × %d", b.grid.Rows, b.grid.Cols)
	}
	if b.turned {
		s.WriteString("\nturned")
	}
	return s.String()
}

func (s style) traceNote() string {
	out := fmt.Sprintf("%.1f pt", s.size)
	for _, x := range []struct {
		is   bool
		name string
	}{{s.bold, "bold"}, {s.italic, "italic"}, {s.fixed, "fixed"}, {s.caps, "capitals"}} {
		if x.is {
			out += " " + x.name
		}
	}
	return fmt.Sprintf("%s, colour #%06x", out, s.color>>8)
}

// deliver gives the finished trace to who asked for it.
func (t *tracer) deliver(to func(Trace)) {
	if t != nil {
		to(t.trace)
	}
}
