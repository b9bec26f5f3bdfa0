package document

// StructElement is an element of a file's structure tree (PDF 32000-1 section 14.7) as far as one page shows it: of
// its kids, only those that have content on the page.
type StructElement struct {
	// Role is the structure type, as the file's role map translates it: "P", "H1", "TD". It may be any name, for files
	// use types that they do not translate.
	Role       string
	Alt        string // the text that stands for it where it cannot be shown; "" when none
	ActualText string // what its characters really say; "" when they say it themselves
	Lang       string // language tag as the file has it; "" when that of its parent holds
	// RowSpan and ColSpan are a table cell's, at least 1. Header cells name a Scope: "Row", "Column" or "Both"; "" when
	// they do not.
	RowSpan, ColSpan int
	Scope            string
	Box              Box // of a figure, formula or table, where the file gives it; zero otherwise
	Kids             []StructKid
}

// StructKid is a kid of a structure element: an element, or marked content of the page.
type StructKid struct {
	// Index is its place among all kids of its parent in the file, on the page or not. The indexes from the root down
	// name the same element on every page.
	Index   int
	Element *StructElement // nil for marked content
	MCID    int32          // as Glyph.MCID; -1 for elements
}
