package document

import "math"

// Box is an axis-parallel rectangle in points (1/72 inch), origin at the top left of the page as a
// reader sees it (CropBox applied, /Rotate applied), y downwards. Left <= Right and Top <= Bottom.
type Box struct {
	Left, Top, Right, Bottom float64
}

// Width of b in points.
func (b Box) Width() float64 { return b.Right - b.Left }

// Height of b in points.
func (b Box) Height() float64 { return b.Bottom - b.Top }

// Empty reports whether b encloses no area.
func (b Box) Empty() bool { return b.Right <= b.Left || b.Bottom <= b.Top }

// Union is the smallest box around b and o. A zero Box is neutral.
func (b Box) Union(o Box) Box {
	if b == (Box{}) {
		return o
	}
	if o == (Box{}) {
		return b
	}
	return Box{math.Min(b.Left, o.Left), math.Min(b.Top, o.Top), math.Max(b.Right, o.Right), math.Max(b.Bottom, o.Bottom)}
}

// Intersect is the common part of b and o, the zero Box when there is none.
func (b Box) Intersect(o Box) Box {
	r := Box{math.Max(b.Left, o.Left), math.Max(b.Top, o.Top), math.Min(b.Right, o.Right), math.Min(b.Bottom, o.Bottom)}
	if r.Right < r.Left || r.Bottom < r.Top {
		return Box{}
	}
	return r
}

// Content is what one page shows, as the PDF has it: glyphs in content-stream order, rules, images,
// links. It is the input of the layout and the only thing the layout knows of a PDF.
type Content struct {
	Number        int     // 1-based page number in the file
	Width, Height float64 // points, after /Rotate
	Glyphs        []Glyph
	Fonts         []Font // Glyph.Font indexes it
	Rules         []Rule
	Images        []Image
	Links         []Link
	Texts         []Text // of all text objects, also those that show nothing, by Glyph.Object
	Covers        []Cover
	// Structure is what the file's structure tree says of the page: the top elements that it shows a part of. nil
	// when it was not asked for or there is none.
	Structure []StructKid
	Truncated bool // the page had more glyphs or paths than the limits allow
	// Pictures is the number of image objects on the page, with those that show nothing. Flattened is true where form
	// fields, stamps or free text were added to the page's own objects: theirs come last.
	Pictures  int
	Flattened bool
}

// Glyph is one shown character. PDFium's generated spaces and line ends are left out: the layout
// decides about spaces from positions; a space that the PDF itself shows is kept.
type Glyph struct {
	Rune    rune    // the character; 0 when the font gives no usable mapping
	Code    uint32  // its code in the font, 0xFFFFFFFF where the file gives another text instead
	Extra   string  // further characters of a one-to-many mapping (rare); "" otherwise
	Box     Box     // ink box; may be empty for spaces
	Loose   Box     // advance width × font ascent/descent: comparable between glyphs of a line
	OriginX float64 // baseline origin, same coordinates as Box
	OriginY float64
	Size    float64 // effective font size in points (font size × text and graphics matrices)
	Angle   float64 // baseline direction in degrees, clockwise on the page, 0 = left to right, in [0, 360)
	Font    int32   // index into Content.Fonts
	Object  int32   // ordinal of the text object on the page
	MCID    int32   // marked-content id on the page, -1 when none; what a form shows has that of the form
	Color   uint32  // fill colour 0xRRGGBBAA
	Mode    uint8   // text render mode (PDF 32000-1 table 106); 3 and 7 are invisible
	Hyphen  bool    // PDFium takes it for a hyphen at a line end
	Invalid bool    // the mapping to Unicode is missing or known to be wrong
	// Artifact: the file says that this is no part of its text, such as a running head. Only known where the
	// structure was asked for.
	Artifact bool
	Index    int32 // place among the glyphs of its object; only set where spans are asked for
}

// Font is what the layout needs to know of a font.
type Font struct {
	Name   string  // base font name without subset prefix
	Weight int     // 100…900; 400 when unknown
	Angle  float64 // italic angle in degrees, 0 upright
	Bold   bool    // by weight, flag or name
	Italic bool    // by angle, flag or name
	Fixed  bool    // fixed pitch
	Serif  bool
	Symbol bool // symbolic font (bullets, maths)
	Math   bool // made for mathematics, by name

	Embedded bool // the file brings it along; others are drawn with what a program has instead
}

// Text is what decides, besides its glyphs, whether a reader sees a text object.
type Text struct {
	Clip   Box   // around what the clipping paths leave of the page; Everywhere when there are none
	Layer  int32 // number of the part of the page, from 1, that can be invisible as a whole: a section of optional content, or a form; 0 when none
	Unsure bool  // its look cannot be told from its colour: stroked, or filled with a pattern, or blended, masked, or clipped by a shape
}

// Everywhere is the box that leaves out nothing.
var Everywhere = Box{math.Inf(-1), math.Inf(-1), math.Inf(1), math.Inf(1)}

// Cover is an area that is painted by neither a path nor an image: a shading.
type Cover struct {
	Box   Box
	After int32 // as Rule's
}

// RuleKind tells how a rule was painted.
type RuleKind uint8

// A horizontal or vertical stroke (or a filled rectangle thinner than 2.5 points), and rectangles.
const (
	RuleLine   RuleKind = iota // Box is the line's extent, including its thickness
	RuleStroke                 // a stroked rectangle: its four edges are visible
	RuleFill                   // a filled rectangle without stroke
	RuleCurve                  // any other path (charts, drawings): its bounding box
)

// Rule is a painted path, reduced to what layout analysis uses.
type Rule struct {
	Kind    RuleKind
	Pattern bool  // filled with a pattern, whose colours are unknown
	After   int32 // text objects of the page that are painted before it: it lies over the glyphs with a smaller Object
	Box     Box
	Width   float64 // stroke width in points, 0 for fills
	Color   uint32  // stroke colour, fill colour for fills: 0xRRGGBBAA
	MCID    int32   // as Glyph's; only known where the structure was asked for, else -1
	Fill    uint32  // fill colour 0xRRGGBBAA; 0 when it is only stroked
}

// Image is a painted raster image.
type Image struct {
	Box           Box
	Width, Height int   // pixels
	Object        int32 // ordinal of the image object on the page
	MCID          int32 // as Glyph's
	Artifact      bool  // as Glyph's
	After         int32 // as Rule's
}

// Link is a link annotation with a URI target.
type Link struct {
	Box Box
	URI string
}

// Outline is one bookmark.
type Outline struct {
	Title string
	Level int     // 1-based depth
	Page  int     // 1-based target page, 0 when unknown
	Top   float64 // target's y from the page's top in points, -1 when unknown
}

// Meta is the document information and what the file as a whole says of itself.
type Meta struct {
	Title, Author, Subject, Keywords, Creator, Producer string
	CreationDate, ModificationDate                      string // RFC 3339, "" when absent or unreadable
	Language                                            string // catalogue /Lang
	Tagged                                              bool
	Encrypted                                           bool
}
