// Package document is the common language of the engine: what a page contains (Content), and what the
// layout made of it (Document). It knows neither PDF libraries nor output formats.
package document

// Document is a parsed PDF, ready for the writers.
type Document struct {
	Meta     Meta
	Pages    []Page // the selected pages, in file order
	Warnings []Warning
	NumPages int // pages in the file, selected or not
}

// Page is one parsed page. Elements are in reading order.
type Page struct {
	Number        int // 1-based in the file
	Width, Height float64
	Elements      []Element
}

// Kind is the type of an element, named as in the JSON output.
type Kind string

// The element kinds.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	Table     Kind = "table"
	List      Kind = "list"
	ListItem  Kind = "list_item"
	Figure    Kind = "figure"
	Caption   Kind = "caption"
	Formula   Kind = "formula"
	Footnote  Kind = "footnote"
	Header    Kind = "header" // running header
	Footer    Kind = "footer" // running footer, page number
)

// Element is one block of a page. Which fields are set depends on Kind.
type Element struct {
	ID       string // stable within the document: "p3.e12"
	Kind     Kind
	Page     int // 1-based
	Box      Box
	Lines    []Line    // text; nil for tables, lists and pure figures
	Level    int       // heading: 0 = Title, 1…6 = H1…H6; list that Continues: how many lists are around the one that it goes on
	Marker   string    // list item: its mark as printed ("•", "1.", "(a)")
	Marked   []Span    // what shows Marker, as of Line.Spans
	Ordered  bool      // list: numbered or lettered
	Entry    bool      // list item: an entry of a table of contents
	Children []Element // list: items; list item: nested lists; figure: text inside
	Grid     *Grid     // table
	Image    int       // figure: index of its image object on the page + 1, 0 = none (drawing)
	Picture  *Picture  // figure: how it looks, nil when pictures were not asked for
	Alt      string    // figure: the text that stands for it in the file's own tags, "" when none
	// Continues is true where the element goes on from the previous page or column: writers join it. A table goes
	// on in the next one that says so, and so does a list, or a list in the last item of one, see Level.
	Continues bool
	// Aside is true in a margin: a text before it goes on after it.
	Aside bool
	// Code is true for a paragraph that is a listing: its lines, some of which may be empty, and the spaces in them are
	// part of the text. Joins mean nothing in it.
	Code     bool
	FontName string  // the predominant font
	FontSize float64 // its size in points
}

// Line is one printed line of an element.
type Line struct {
	Runs []Run
	Box  Box
	// Join says how this line connects to the next one of the element.
	Join Join
	// Spans is what shows the line on the page, in reading order. Only filled where the layout was asked for it.
	Spans []Span
}

// Span is a stretch of the glyphs of one text object: those numbered From up to To, without To. They count from 0
// within the object, as Glyph.Index.
type Span struct {
	Object   int32 // as of Glyph
	From, To int32
}

// Join is the way a line connects to the following one.
type Join uint8

// The joins. Writers with keep_line_breaks print a line break for each of them.
const (
	JoinSpace  Join = iota // a space
	JoinNone               // nothing (CJK, a word broken without hyphen)
	JoinHyphen             // the line ends in a soft hyphen: drop the hyphen, join without a space
)

// Run is a stretch of text with one style.
type Run struct {
	Text                      string
	Bold, Italic, Fixed       bool
	Strike, Superscript, Subs bool
	Link                      string // URI, "" when none
}

// Grid is a table: Rows × Cols slots covered by cells without overlap.
type Grid struct {
	Rows, Cols int
	// HeaderRows is the number of rows at the top that name the columns. In a table that goes on from the page
	// before they repeat the first part's: joined tables have them once.
	HeaderRows int
	// RowContinues: the first row below the header rows is the rest of the last row of the part before.
	RowContinues bool
	Cells        []Cell // in row-major order of their top-left slot
}

// Cell is one table cell.
type Cell struct {
	Row, Col         int // 0-based top-left slot
	RowSpan, ColSpan int // at least 1
	Box              Box
	Lines            []Line
}

// Picture is the image file made of a figure.
type Picture struct {
	Name          string // in the archive of external images: "images/p3.e12.png"
	Type          string // media type
	Path          string // where the file lies while the results are written
	Width, Height int    // pixels
}

// Warning tells the client that output may be incomplete, or that something was done to it. Codes are stable snake_case.
type Warning struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Pages   []int   `json:"pages"`            // 1-based, ascending; empty when it concerns the whole file
	Places  []Place `json:"places,omitempty"` // where on these pages, when it is about parts of them; bounded in number
}

// Place is a part of a page that a warning is about.
type Place struct {
	Page   int        `json:"page"`   // 1-based
	BBox   [4]float64 `json:"bbox"`   // left, top, right, bottom as of Box
	Reason string     `json:"reason"` // stable snake_case
}
