package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"hash/crc32"
	"regexp"
	"slices"
	"strconv"

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
	c.overlap = min(o.ChunkOverlapTokens, c.max/2) // more would leave less room for what is new
	for i := range pages {
		c.elements(pages[i].Elements)
	}
	c.finish()
	return c.err // bufio keeps its first error for Flush
}

// chunker turns the elements of a document into pieces, gathers these in sections, and sections in groups, which it
// divides into chunks: chunkelements.go, endSection, chunkpack.go.
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

// id names a chunk by what it says and the heading that it stands below, and by nothing that changes when other parts of
// the document do: neither the headings further out nor the levels of headings, which both depend on whether the
// document begins with a title. Those that say the same are counted.
func (c *chunker) id(out *jsonChunk) string {
	h := sha256.New()
	put := func(s string) { h.Write([]byte(strconv.Itoa(len(s)) + ":" + s)) }
	if n := len(out.HeadingPath); n > 0 {
		put(out.HeadingPath[n-1])
	}
	put(headingMarks.ReplaceAllLiteralString(out.Text, "# "))
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

// headingMarks are what Markdown writes before a heading, as many as its level.
var headingMarks = regexp.MustCompile(`(?m)^#{1,6} `)

func hashOf(s string) uint32 { return crc32.ChecksumIEEE([]byte(s)) }
