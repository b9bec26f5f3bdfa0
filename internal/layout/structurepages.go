package layout

import (
	"cmp"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// treeKind is the kind of a block that stands for blocks of the structure tree while the stages of the document decide
// about the others. No stage knows it, so none changes what the file itself says.
const treeKind document.Kind = "structure"

// readTree reads the structure tree of a page, where it is to be used and there is one, and gives the glyphs that it says
// nothing of.
func (a *Analyzer) readTree(c *document.Content, f frame, glyphs []glyph, e edges) (*treeReader, []glyph) {
	if !a.options.StructTree {
		return nil, glyphs
	}
	t := &treeReader{
		content: c, frame: f, open: a.open,
		glyphs: make(map[int32][]glyph), images: make(map[int32][]int), drawn: make(map[int32]document.Box), taken: make(map[int]bool),
	}
	if a.options.Strikethrough {
		t.strike = &e
	}
	if n := len(a.pages); n == 0 || a.pages[n-1].number != c.Number-1 {
		t.open = ""
	}
	rest, ok := t.read(glyphs, a.options.KeepHeaderFooter)
	if !ok {
		a.open = ""
		if len(glyphs)+len(c.Images) > 0 {
			a.treeless = append(a.treeless, c.Number)
		}
		return nil, glyphs
	}
	a.trees, a.open = true, t.lastText()
	if e := c.Structure; a.language == "" && len(e) > 0 && e[0].Element != nil {
		a.language = e[0].Element.Lang
	}
	return t, rest
}

// addTree weaves the blocks of the tree into those that geometry has found of the rest: each of these follows the last
// one of the tree that stands above it and shares a part of its width.
func (p *page) addTree(t *treeReader) {
	rest := slices.DeleteFunc(p.blocks, func(b *block) bool {
		return b.kind == document.Figure && b.image > 0 && t.hides(b.image-1) || b.kind == document.Table && b.runes == 0 && !filledTable(b)
	})
	after := make([][]*block, len(t.out)+1)
	for _, b := range rest {
		at := 0
		for i, o := range t.out {
			if o.box.Top < b.box.Top && o.box.Left < b.box.Right && o.box.Right > b.box.Left {
				at = i + 1
			}
		}
		after[at] = append(after[at], b)
	}
	p.blocks = slices.Clone(after[0])
	var stand *block
	for i, b := range t.out {
		if stand == nil {
			stand = &block{kind: treeKind, leaf: -1, box: document.Box{Right: t.frame.width, Bottom: t.frame.height}}
			stand.element.Box, stand.element.Page = document.Box{Right: p.width, Bottom: p.height}, p.number
			p.blocks, p.fromTree = append(p.blocks, stand), append(p.fromTree, stand)
		}
		stand.standsFor = append(stand.standsFor, b)
		if len(after[i+1]) > 0 {
			p.blocks, stand = append(p.blocks, after[i+1]...), nil
		}
	}
}

// hides reports whether an image is shown by a figure of the tree, or is no part of the text.
func (t *treeReader) hides(image int) bool {
	return t.taken[image] || t.content.Images[image].Artifact
}

func filledTable(b *block) bool {
	return b.element.Grid != nil && slices.ContainsFunc(b.element.Grid.Cells, func(c document.Cell) bool { return len(c.Lines) > 0 })
}

// lastText names the element in which the text of a page ends, for the page after it; "" when that is unknown.
func (t *treeReader) lastText() string {
	for _, b := range slices.Backward(t.out) {
		switch b.kind {
		case document.Paragraph:
			return b.tree.key
		case document.List:
			return b.tree.item
		case document.Heading, document.ListItem:
			return ""
		}
	}
	return ""
}

// showTree lets the stages of the document decide about the paragraphs of the tree as well when it knows no headings:
// programs that tag every text as a paragraph do not say that there are none.
func showTree(pages []*page) {
	for _, p := range pages {
		for _, stand := range p.fromTree {
			if slices.ContainsFunc(stand.standsFor, func(b *block) bool { return b.kind == document.Heading }) {
				return
			}
		}
	}
	for _, p := range pages {
		var blocks, hidden []*block
		for _, b := range p.blocks {
			if b.kind != treeKind {
				blocks = append(blocks, b)
				continue
			}
			for _, in := range b.standsFor {
				if in.kind != document.Paragraph {
					stand := *b
					stand.standsFor = []*block{in}
					in, hidden = &stand, append(hidden, &stand)
				}
				blocks = append(blocks, in)
			}
		}
		p.blocks, p.fromTree = blocks, hidden
	}
}

// restoreTree puts the blocks of the structure tree in the place of those that stand for them, and joins what is one
// element of the file on two pages.
func restoreTree(pages []*page) {
	var text, table *block   // the last ones of the page before
	var first *document.Grid // of the parts of table
	for i, p := range pages {
		if i > 0 && p.number != pages[i-1].number+1 {
			text, table = nil, nil
		}
		p.restore()
		firstText, firstTable := true, true
		for _, b := range p.blocks {
			switch b.kind {
			case document.Table:
				if !firstTable || !b.continueTable(table, first) {
					first = b.element.Grid
				}
				table, firstTable = b, false
			case document.Paragraph, document.List, document.ListItem, document.Heading:
				if b.tree != nil && b.tree.goesOn {
					b.continues = firstText && text != nil && text.tree != nil && b.tree.key == cmp.Or(text.tree.item, text.tree.key)
					if b.continues && text.kind == document.Paragraph {
						text.next = b
					}
				}
				text, firstText = b, false
			}
		}
		if firstTable {
			table = nil // a page without one
		}
	}
}

// restore undoes what addTree did. It does not rely on the stages for the blocks of the tree.
func (p *page) restore() {
	if len(p.fromTree) == 0 {
		return
	}
	var out []*block
	next := 0
	for _, b := range p.blocks {
		if b.kind != treeKind {
			out = append(out, b)
			continue
		}
		for next < len(p.fromTree) {
			stand := p.fromTree[next]
			out = append(out, stand.standsFor...)
			next++
			if stand == b {
				break
			}
		}
	}
	for _, stand := range p.fromTree[next:] {
		out = append(out, stand.standsFor...)
	}
	p.blocks, p.fromTree = out, nil
}

// continueTable marks a table that is the same element as the last one of the page before, and reports whether it is.
// first is the first part of that one.
func (b *block) continueTable(before *block, first *document.Grid) bool {
	if b.tree == nil || before == nil || before.tree == nil || b.tree.key == "" || b.tree.key != before.tree.key {
		return false
	}
	grid := b.element.Grid
	if grid.Cols != first.Cols {
		return false
	}
	b.continues = true
	grid.HeaderRows = repeatedRows(first, grid)
	grid.RowContinues = b.tree.firstRow == before.tree.lastRow
	return true
}

// treeWarnings says on which pages the structure tree was asked for in vain.
func (a *Analyzer) treeWarnings() []document.Warning {
	switch {
	case !a.options.StructTree || len(a.treeless) == 0:
		return nil
	case !a.trees:
		return []document.Warning{{
			Code:    "no_structure_tree",
			Message: "This file has no structure tree of use: order and roles were found by the layout of its pages.",
		}}
	}
	return []document.Warning{{
		Code:    "no_structure_tree",
		Message: "The structure tree says too little of these pages: their order and roles were found by their layout.",
		Pages:   a.treeless,
	}}
}
