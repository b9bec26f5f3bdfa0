package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// jsonChunk is a line of the chunks output: contract section 7 and api/chunk.schema.json.
type jsonChunk struct {
	ID          string    `json:"id"`
	HeadingPath []string  `json:"heading_path"`
	Text        string    `json:"text"`
	Tokens      int       `json:"tokens"`
	Overlap     int       `json:"overlap"`
	Pages       []int     `json:"pages"`
	Boxes       []jsonBox `json:"boxes"`
	ElementIDs  []string  `json:"element_ids"`
}

type jsonBox struct {
	Page int        `json:"page"`
	BBox [4]float64 `json:"bbox"`
}

// writeChunks writes the document in pieces for a search index, one JSON object a line. They are made section by
// section, so that what changes in one leaves the chunks of the others as they are, and no more than a few sections are
// held in memory beside the document.
func writeChunks(w *bufio.Writer, d *document.Document, o option.Options) error {
	pages, joints := flow(d)
	c := chunker{
		w: w, m: markdown{o: o, top: topLevel(d), code: marksCode(d)}, joints: joints, tokens: newTokenCounter(),
		max: max(o.ChunkMaxTokens, 1), seen: make(map[[sha256.Size]byte]int),
	}
	// More than half would say everything twice.
	c.overlap = min(o.ChunkOverlapTokens, c.max/2)
	for i := range pages {
		c.elements(pages[i].Elements)
	}
	c.finish()
	return c.err // bufio keeps its first error for Flush
}

// chunker turns the elements of a document into pieces, gathers these in sections, and sections in groups, which it
// divides into chunks (see chunkpack.go).
type chunker struct {
	w       *bufio.Writer
	m       markdown
	joints  map[string][]joint
	tokens  tokenCounter
	max     int // tokens a chunk
	overlap int // tokens at most that a chunk repeats of the one before

	heading *heading // the last one
	section section  // what stands below it so far
	group   section  // sections that will be divided together
	bond    rank     // how well the next block may be parted from the last one
	also    []place  // what the next piece stands for besides itself

	seen map[[sha256.Size]byte]int // how often a chunk has been written
	err  error
}

// heading is a heading and what it stands below.
type heading struct {
	title string
	level int
	above *heading
	depth int // headings above it, and itself
}

func (h *heading) deep() int {
	if h == nil {
		return 0
	}
	return h.depth
}

// common is the last heading that both texts below h and below o stand below.
func (h *heading) common(o *heading) *heading {
	for h != o {
		if h.deep() >= o.deep() {
			h = h.above
		} else {
			o = o.above
		}
	}
	return h
}

// path is the titles of the headings down to h.
func (h *heading) path() []string {
	path := make([]string, h.deep())
	for ; h != nil; h = h.above {
		path[h.depth-1] = h.title
	}
	return path
}

// section is a heading with its text up to the next one, or several such.
type section struct {
	pieces []chunkPiece
	tokens int  // about
	depth  int  // of its highest heading
	body   bool // there is something besides headings
}

// chunkPiece is a unit of a block on its way into a chunk.
type chunkPiece struct {
	block   block
	unit    int
	tokens  int  // about
	start   int  // tokens more, about, where it is the first of its block in a chunk
	rank    rank // of a break before it
	hash    uint32
	heading *heading // below which it stands
	title   bool     // it is that heading
	also    []place
}

// rank tells how good a break is.
type rank uint8

const (
	rankTogether rank = iota // not at all: after a heading, between a picture and its caption
	rankSentence             // in a paragraph; between an item and one in it; after a text that announces something
	rankItem                 // between the items of a list, the rows of a table
	rankBlock                // between paragraphs, lists, tables
	rankSection              // before a heading
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
			c.text(c.newText(e.Lines[i:i+1], inlineBlock, "", source{id: e.ID, part: e.ID, page: e.Page, box: e.Lines[i].Box}))
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

// tooLong reports whether a unit with about the given number of tokens does not fit in a chunk.
func (c *chunker) tooLong(b block, unit, about int) bool {
	const margin = 8 // tokens by which the estimate may be wrong
	return about > c.max-margin && c.tokens.count(b.markdown(unit, unit+1)) > c.max
}

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
				c.cells(b, r)
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
		at := source{id: b.source.id, part: b.source.id, page: b.source.page, box: cell.Box}
		for _, j := range b.source.joints {
			if j.at <= r {
				at.id, at.part, at.page = j.id, j.id, j.page
			}
		}
		c.text(c.newText(cell.Lines, inlineBlock, lead, at))
		c.bond = rankSentence // it stays a row as far as may be
	}
	c.bond = rankBlock
}

// finish writes what is left.
func (c *chunker) finish() {
	s := c.section
	if !s.body && len(c.group.pieces) > 0 && c.group.tokens+s.tokens <= c.max {
		c.join(s) // headings with nothing below them
	} else {
		c.endSection(0)
	}
	c.pack(c.group.pieces)
}

// endSection puts the section into the group that it belongs to, of which there are more below the same heading. The
// next one's heading is at the given depth.
func (c *chunker) endSection(next int) {
	s := c.section
	c.section = section{}
	if len(s.pieces) == 0 {
		return
	}
	if len(c.group.pieces) > 0 && c.belongs(&s, next) {
		c.join(s)
		return
	}
	c.pack(c.group.pieces)
	c.group = s
}

// belongs reports whether a section goes with the group before it. A section that fits is the best chunk there is, with
// the whole path to it, so only small ones do, a line or two (from the third level of headings on, where sections are
// finer, three or four), and only where one chunk holds all and a heading is above them. What is before a section of
// its own heading goes with it too where it will be divided anyway. What introduces sections does not go with others.
func (c *chunker) belongs(s *section, next int) bool {
	const fine = 3 // depth
	g := &c.group
	small := c.max / 16
	if min(g.depth, s.depth) >= fine {
		small = c.max / 8
	}
	if s.depth < max(g.depth, 2) || g.pieces[0].heading.common(c.heading) == nil {
		return false
	}
	if g.tokens+s.tokens > c.max {
		return g.tokens < small && s.tokens > c.max && s.depth > g.depth
	}
	return g.tokens < small || s.tokens < small && next <= c.heading.deep()
}

func (c *chunker) join(s section) {
	c.group.pieces = append(c.group.pieces, s.pieces...)
	c.group.tokens += s.tokens
	c.group.body = c.group.body || s.body
}

// write writes a chunk.
func (c *chunker) write(text string, tokens, overlap int, at *heading, places []place) {
	if text == "" || c.err != nil {
		return
	}
	out := jsonChunk{
		Text: text, Tokens: tokens, Overlap: overlap, HeadingPath: at.path(), Pages: []int{}, Boxes: []jsonBox{}, ElementIDs: []string{},
	}
	out.ID = c.id(&out)
	elements := make(map[string]bool)
	type part struct {
		id   string
		page int
	}
	boxes := make(map[part]document.Box)
	var order []part
	for _, p := range places {
		if !elements[p.id] && p.id != "" {
			elements[p.id] = true
			out.ElementIDs = append(out.ElementIDs, p.id)
		}
		if p.part == "" {
			continue
		}
		k := part{p.part, p.page}
		if _, ok := boxes[k]; !ok {
			order = append(order, k)
		}
		boxes[k] = boxes[k].Union(p.box)
	}
	for _, k := range order {
		out.Boxes = append(out.Boxes, jsonBox{k.page, corners(boxes[k])})
		out.Pages = append(out.Pages, k.page)
	}
	slices.Sort(out.Pages)
	out.Pages = slices.Compact(out.Pages)
	line, err := marshal(out)
	if err != nil {
		c.err = err
		return
	}
	c.w.Write(line)
	c.w.WriteByte('\n')
}

// id names a chunk by what it says and the headings that it stands below, and by nothing that changes when other parts
// of the document do. Those that say the same are counted.
func (c *chunker) id(out *jsonChunk) string {
	h := sha256.New()
	for _, s := range append(out.HeadingPath, out.Text) {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	sum := [sha256.Size]byte(h.Sum(nil))
	n := c.seen[sum]
	c.seen[sum]++
	if n > 0 {
		h.Write([]byte(strconv.Itoa(n)))
		sum = [sha256.Size]byte(h.Sum(nil))
	}
	const length = 16 // bytes: no two of all the chunks of the world have the same
	return hex.EncodeToString(sum[:length])
}

func hashOf(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
