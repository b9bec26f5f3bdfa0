package layout

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// documentLines makes lines of a paragraph or cell out of analysed ones.
func documentLines(lines []line, fonts []document.Font) []document.Line {
	if len(lines) == 0 {
		return nil
	}
	out := make([]document.Line, len(lines))
	for i := range lines {
		out[i] = document.Line{Runs: makeRuns(lines[i].pieces, fonts), Box: lines[i].box, Spans: pieceSpans(lines[i].pieces)}
		if i > 0 {
			out[i-1].Join = join(&out[i-1], &out[i])
		}
	}
	return out
}

// makeRuns unites neighbouring pieces of one style.
func makeRuns(pieces []piece, fonts []document.Font) []document.Run {
	var out []document.Run
	for i := range pieces {
		p := &pieces[i]
		f := fontOf(fonts, p.font)
		run := document.Run{Bold: f.Bold, Italic: f.Italic, Fixed: f.Fixed, Superscript: p.sup, Subs: p.sub, Strike: p.strike, Link: p.link}
		text := plain(p.text)
		space := i > 0 && !p.glue
		if n := len(out); n > 0 {
			last := &out[n-1]
			run.Text = last.Text
			if *last == run {
				if space {
					last.Text += " "
				}
				last.Text += text
				continue
			}
			if space {
				last.Text += " "
			}
		}
		run.Text = text
		out = append(out, run)
	}
	return out
}

// plain replaces characters for private use, which mean nothing outside their font.
func plain(s string) string {
	for _, r := range s {
		if r >= 0xE000 && r <= 0xF8FF {
			return replacePrivate(s)
		}
	}
	return s
}

func replacePrivate(s string) string {
	out := []rune(s)
	for i, r := range out {
		if r >= 0xE000 && r <= 0xF8FF {
			if shown := []rune(bulletText(r))[0]; shown != r {
				out[i] = shown
			} else {
				out[i] = invalidRune
			}
		}
	}
	return string(out)
}

// linkPieces marks the pieces that lie on link annotations. Cost: pieces × links of the page, with the links
// of a page bounded.
func linkPieces(frags []fragment, links []document.Link, f frame) {
	const mostLinks = 500 // contents pages have one for each line
	if len(links) > mostLinks {
		links = links[:mostLinks]
	}
	boxes := make([]document.Box, len(links))
	for i := range links {
		boxes[i] = f.box(links[i].Box)
	}
	for i := range frags {
		for j := range boxes {
			if frags[i].box.Intersect(boxes[j]) == (document.Box{}) {
				continue
			}
			for k := range frags[i].pieces {
				p := &frags[i].pieces[k]
				if x, y := p.middle(); x >= boxes[j].Left && x <= boxes[j].Right && y >= boxes[j].Top && y <= boxes[j].Bottom {
					p.link = links[j].URI
				}
			}
		}
	}
}

// makeElement makes an element of a block, in page coordinates.
func (b *block) makeElement(number int, f frame, fonts []document.Font) document.Element {
	e := document.Element{Kind: b.kind, Page: number, Box: f.back(b.box), Grid: b.grid, Image: b.image}
	if len(b.lines) > 0 {
		e.FontName, e.FontSize = fontOf(fonts, b.style.font).Name, b.style.size
	}
	lines := b.lines
	if b.kind == document.ListItem && len(lines) > 0 {
		e.Marker, e.Marked = b.mark.text, pieceSpans(lines[0].pieces[:b.mark.pieces])
		first := lines[0]
		first.pieces = first.pieces[b.mark.pieces:]
		lines = append([]line{first}, lines[1:]...)
	}
	if b.code {
		e.Lines = codeLines(lines, fonts)
	} else {
		e.Lines = documentLines(lines, fonts)
	}
	for i := range e.Lines {
		e.Lines[i].Box = f.back(e.Lines[i].Box)
	}
	if b.kind == document.Figure && len(e.Lines) > 0 {
		e = figureElement(e)
	}
	if e.Grid != nil {
		for i := range e.Grid.Cells {
			c := &e.Grid.Cells[i]
			c.Box = f.back(c.Box)
			for k := range c.Lines {
				c.Lines[k].Box = f.back(c.Lines[k].Box)
			}
		}
		e.FontName, e.FontSize = fontOf(fonts, b.style.font).Name, b.style.size
	}
	e.Box = round(e.Box)
	return e
}

// figureElement makes a figure of one that has its text as lines: rows of labels, which are no sentences.
func figureElement(e document.Element) document.Element {
	text := e
	text.Kind, text.Image, text.Box = document.Paragraph, 0, document.Box{}
	for i := range text.Lines {
		text.Lines[i].Join = document.JoinSpace
		text.Box = text.Box.Union(text.Lines[i].Box)
	}
	text.Box = round(text.Box)
	e.Lines, e.Children = nil, []document.Element{text}
	return e
}

// round keeps hundredths of a point: enough to draw a box, and stable between machines.
func round(b document.Box) document.Box {
	r := func(v float64) float64 { return math.Round(v*100) / 100 }
	return document.Box{Left: r(b.Left), Top: r(b.Top), Right: r(b.Right), Bottom: r(b.Bottom)}
}
