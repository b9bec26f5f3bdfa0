package export

import (
	"slices"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// elements adds the elements of a page or figure.
func (c *chunker) elements(list []document.Element) {
	captions := pairCaptions(list)
	for i := 0; i < len(list); i++ {
		e := &list[i]
		if !captions[i] {
			c.element(e, nil, nil)
			continue
		}
		i++
		if e.Kind == document.Caption {
			c.element(&list[i], e, nil)
		} else {
			c.element(e, nil, &list[i])
		}
	}
}

// element adds an element, with the caption before or after it.
func (c *chunker) element(e, before, after *document.Element) {
	alt := c.m.listMark != 0 && e.Kind == document.List && c.m.listMark == leadMark(e, false)
	c.m.listMark = 0
	switch {
	case e.Kind == document.Heading:
		c.title(e)
	case e.Kind == document.Table:
		c.table(e, before, after)
	case e.Kind == document.List:
		c.list(e, alt)
		c.m.listMark = leadMark(e, alt)
	case e.Kind == document.Figure || e.Kind == document.Header || e.Kind == document.Footer:
		c.figure(e, before, after)
	case e.Code:
		c.code(e)
	default:
		c.text(c.newText(e.Lines, inlineBlock, "", c.sourceOf(e)))
		if e.Kind == document.Caption || endsIn(e.Lines, ":：") {
			c.bond = min(c.bond, rankSentence)
		}
	}
}

func (c *chunker) sourceOf(e *document.Element) source {
	return source{id: e.ID, part: e.ID, page: e.Page, box: e.Box, joints: c.joints[e.ID]}
}

// endsIn reports whether lines end in one of the given characters.
func endsIn(lines []document.Line, chars string) bool {
	for i := len(lines) - 1; i >= 0; i-- {
		for k := len(lines[i].Runs) - 1; k >= 0; k-- {
			if s := strings.TrimSpace(lines[i].Runs[k].Text); s != "" {
				return strings.ContainsRune(chars, last(s))
			}
		}
	}
	return false
}

// add adds a unit of a block. Before the first one of a block the bond with what is before decides about breaks.
func (c *chunker) add(p chunkPiece) {
	if p.unit == 0 || p.rank > c.bond {
		p.rank = c.bond
	}
	c.bond = rankBlock
	p.heading, p.also, c.also = c.heading, c.also, nil
	c.section.pieces = append(c.section.pieces, p)
	c.section.tokens += p.tokens
	c.section.body = c.section.body || !p.title
}

// text adds the units of a running text.
func (c *chunker) text(b *textBlock) {
	if !slices.ContainsFunc(b.parts, func(u textUnit) bool { return u.tokens > 0 }) {
		return
	}
	const apart = 1 // token, for the blank line between blocks
	for i := range b.parts {
		c.add(chunkPiece{
			block: b, unit: i, tokens: b.parts[i].tokens, hash: b.parts[i].hash, start: apart, rank: rankSentence, title: b.mode == inlineHeading,
		})
	}
}

// title begins a section with its heading.
func (c *chunker) title(e *document.Element) {
	text := plainText(e.Lines, c.m.o)
	if text == "" {
		return
	}
	above := c.heading
	for above != nil && above.level >= e.Level {
		above = above.above
	}
	depth := above.deep() + 1
	if c.section.body {
		c.endSection(depth)
	}
	if len(c.section.pieces) == 0 {
		c.section.depth, c.bond = depth, rankSection
	}
	c.section.depth = min(c.section.depth, depth)
	c.heading = &heading{title: strings.ReplaceAll(text, "\n", " "), level: e.Level, above: above, depth: depth}
	c.text(c.newText(e.Lines, inlineHeading, c.m.headingMark(e)+" ", c.sourceOf(e)))
	c.bond = rankTogether
}

// figure adds what is in a figure, or a running head, and its caption.
func (c *chunker) figure(e, before, after *document.Element) {
	caption := func(e *document.Element) {
		if e != nil {
			c.text(c.newText(e.Lines, inlineBlock, "", c.sourceOf(e)))
		}
	}
	c.also = append(c.also, place{id: e.ID, part: e.ID, page: e.Page, box: e.Box})
	n := len(c.section.pieces)
	caption(before)
	if len(c.section.pieces) > n {
		c.bond = rankTogether
	}
	c.elements(e.Children)
	if lines := figureLines(e); len(lines) > 0 {
		c.text(c.newText(lines, inlineBlock, "", c.sourceOf(e)))
	}
	if after != nil && len(c.section.pieces) > n {
		c.bond = rankTogether
	}
	caption(after)
	c.bond = rankBlock
	c.also = nil
}

// code adds the lines of a listing, and as texts those that are too long for a chunk.
func (c *chunker) code(e *document.Element) {
	b := &codeBlock{m: &c.m, lines: e.Lines, source: c.sourceOf(e)}
	if len(e.Lines) == 0 || b.markdown(0, len(e.Lines)) == "" {
		return
	}
	fence := c.tokens.count("```\n```\n\n")
	empty := false
	for i := range e.Lines {
		line := codeText(e.Lines[i:i+1], c.m.o)
		tokens := c.tokens.count(line + "\n")
		if c.tooLong(b, i, fence+tokens) {
			c.text(c.newText(e.Lines[i:i+1], inlineBlock, "", sourceIn(b, i)))
			continue
		}
		r := rankSentence
		if empty {
			r = rankItem
		}
		empty = line == ""
		c.add(chunkPiece{block: b, unit: i, tokens: tokens, start: fence, rank: r, hash: hashOf(line)})
	}
}

// sourceIn is where a unit of a block stands, of one on two pages its beginning, for a text that is made of it.
func sourceIn(b block, unit int) source {
	var first *place
	b.places(unit, unit+1, func(p place) {
		if first == nil && p.part != "" {
			first = &p
		}
	})
	return source{id: first.id, part: first.part, page: first.page, box: first.box}
}

// tooLong reports whether a unit with about the given number of tokens does not fit in a chunk.
func (c *chunker) tooLong(b block, unit, about int) bool {
	const margin = 8 // tokens by which the estimate may be wrong
	return about > c.max-margin && c.tokens.count(b.markdown(unit, unit+1)) > c.max
}

// list adds the items of a list, and as texts those that are too long for a chunk.
func (c *chunker) list(e *document.Element, alt bool) {
	b := c.newList(e, alt)
	for i := range b.items {
		it := &b.items[i]
		text := itemLead(it.item.Marker, it.delimiter) + c.m.itemText(it.item, it.delimiter)
		tokens := c.tokens.count(text) + 1 // the line end, and what it is set in by
		above := 2 * it.depth              // the marks of the items that it is in
		if c.tooLong(b, i, tokens+above) {
			c.text(c.newText(it.item.Lines, inlineItem, itemLead(it.item.Marker, it.delimiter), it.source))
			continue
		}
		r := rankItem
		if it.depth > 0 {
			r = rankSentence
		}
		c.add(chunkPiece{block: b, unit: i, tokens: tokens, start: 1 + above, rank: r, hash: hashOf(text)})
	}
}

// table adds a table with its caption.
func (c *chunker) table(e, before, after *document.Element) {
	if e.Grid == nil || e.Grid.Rows == 0 || e.Grid.Cols == 0 {
		return
	}
	b := c.newTable(e)
	// What is repeated with each part must leave room for a row.
	captions := c.captionsOf(b, before, after)
	if captions && c.tooLong(b, 0, c.max) {
		b.before, b.after, b.around, captions = "", "", nil, false
	}
	if b.first > 0 && c.tooLong(b, 0, c.max) {
		b.titles, b.first = b.emptyTitles(), 0
	}
	if before != nil && !captions {
		c.text(c.newText(before.Lines, inlineBlock, "", c.sourceOf(before)))
		c.bond = rankTogether
	}
	captions = c.rows(b) && captions
	if after != nil && !captions {
		c.bond = rankTogether
		c.text(c.newText(after.Lines, inlineBlock, "", c.sourceOf(after)))
	}
}

// captionsOf makes the caption before or after a table part of it, unless it is long.
func (c *chunker) captionsOf(b *tableBlock, before, after *document.Element) bool {
	caption, at := before, &b.before
	if before == nil {
		caption, at = after, &b.after
	}
	if caption == nil {
		return false
	}
	text := c.m.inline(caption.Lines, inlineBlock)
	if text == "" || c.tokens.count(text) > c.max/4 {
		return false
	}
	*at = text
	c.sourceOf(caption).places(caption.Lines, 0, len(caption.Lines), func(p place) { b.around = append(b.around, p) })
	return true
}

// rows adds the rows of a table. It reports whether the last one left room for what stands around each part.
func (c *chunker) rows(b *tableBlock) (room bool) {
	if c.m.o.MarkdownWithHTML && needsSpans(b.grid) && c.htmlTable(b) {
		return true
	}
	start := c.tokens.count(b.titles) + c.tokens.count(b.before) + c.tokens.count(b.after) + 2
	var bare *tableBlock // the same without titles, for rows that leave no room for them
	for r := b.first; r < b.grid.Rows; r++ {
		i := r - b.first
		row := b.rows(r, r+1)
		tokens, more := c.tokens.count(row+"\n"), 0
		if len(b.over[r]) > 0 {
			more = max(c.tokens.count(b.rowText(b.startRow(r)))-tokens, 0)
		}
		p := chunkPiece{block: b, unit: i, tokens: tokens, start: start + more, rank: rankItem, hash: hashOf(row)}
		room = true
		if c.tooLong(b, i, start+more+tokens) {
			room = false
			if bare == nil {
				bare = b.bare()
			}
			p.block, p.start = bare, c.tokens.count(bare.titles)
			if c.tooLong(bare, i, p.start+tokens) {
				c.cells(bare, r)
				continue
			}
		}
		c.add(p)
	}
	return room
}

// htmlTable adds a table with merged cells as HTML, as the option has it, if it fits in a chunk.
func (c *chunker) htmlTable(b *tableBlock) bool {
	text := b.before + "\n\n" + c.m.tableHTML(b.grid) + "\n\n" + b.after
	whole := &wholeBlock{text: strings.Trim(text, "\n")}
	tokens := c.tokens.count(whole.text)
	if tokens > c.max {
		return false
	}
	b.places(0, b.grid.Rows-b.first, func(p place) { whole.from = append(whole.from, p) })
	c.add(chunkPiece{block: whole, tokens: tokens, start: 1, hash: hashOf(whole.text)})
	return true
}

// cells adds the cells of a row that is too long for a chunk as texts, each with the title of its column.
func (c *chunker) cells(b *tableBlock, r int) {
	for _, i := range b.cells[r] {
		cell := &b.grid.Cells[i]
		lead := ""
		if title := b.title(cell.Col); title != "" && r >= b.heads {
			lead = title + ": "
		}
		at := sourceIn(b, max(r-b.first, 0))
		if !cell.Box.Empty() {
			at.box = cell.Box
		}
		c.text(c.newText(cell.Lines, inlineBlock, lead, at))
		c.bond = rankSentence // it stays a row as far as may be
	}
	c.bond = rankBlock
}
