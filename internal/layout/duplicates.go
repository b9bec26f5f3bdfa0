package layout

import (
	"math"
	"math/bits"
)

// duplicateDistance is how near two equal glyphs of one size are printed to be one glyph printed
// twice (fake bold, shadows), as a share of the font size. Two real letters in a row are at least
// a narrow advance width apart, 0.2 of the size ("ll", "..").
const duplicateDistance = 0.12

// A glyphSet finds glyphs printed twice in constant time each: it is a hash table with open addressing, by character
// and cell of a grid. Cells are larger than the distance that decides, so that a near glyph is in the same cell or, near
// its edge, in a neighbouring one; they grow with the size in powers of two, so that equal sizes share a grid.
type glyphSet struct {
	slots []glyphSpot // a power of two of them, at most half of them taken
	shift int         // of a hash, to an index of slots
	size  float64     // the last one asked for
	cell  float64     // its cells' width, in points
}

// glyphSpot is a glyph of the set; size 0 is an empty slot.
type glyphSpot struct {
	r           rune
	column, row int32
	x, y, size  float32
}

// newGlyphSet makes a set with room for n glyphs.
func newGlyphSet(n int) *glyphSet {
	log := bits.Len(uint(max(2*n, 2) - 1))
	return &glyphSet{slots: make([]glyphSpot, 1<<log), shift: 64 - log}
}

// duplicate reports whether an equal glyph is at nearly the same place already, and adds g if not.
func (s *glyphSet) duplicate(g *glyph) bool {
	if g.size != s.size {
		const cells = 4 // of the distance: most glyphs are away from all edges, and few share a cell
		s.size, s.cell = g.size, math.Exp2(math.Ceil(math.Log2(math.Max(g.size, 1)*duplicateDistance*cells)))
	}
	near := duplicateDistance * g.size
	column := func(x float64) int32 { return int32(math.Floor(x / s.cell)) }
	for x, last := column(g.left-near), column(g.left+near); x <= last; x++ {
		for y, last := column(g.base-near), column(g.base+near); y <= last; y++ {
			if s.has(g, x, y, near) {
				return true
			}
		}
	}
	x, y := column(g.left), column(g.base)
	at := s.hash(g.r, x, y)
	for s.slots[at].size != 0 {
		at = (at + 1) & (len(s.slots) - 1)
	}
	s.slots[at] = glyphSpot{g.r, x, y, float32(g.left), float32(g.base), float32(g.size)}
	return false
}

// has looks for a glyph like g in one cell.
func (s *glyphSet) has(g *glyph, x, y int32, near float64) bool {
	for at := s.hash(g.r, x, y); s.slots[at].size != 0; at = (at + 1) & (len(s.slots) - 1) {
		o := &s.slots[at]
		if o.r != g.r || o.column != x || o.row != y {
			continue
		}
		dx, dy := float64(o.x)-g.left, float64(o.y)-g.base
		if dx*dx+dy*dy < near*near && math.Abs(float64(o.size)-g.size) < 0.1*g.size {
			return true
		}
	}
	return false
}

// hash spreads characters and cells over the slots (Fibonacci hashing).
func (s *glyphSet) hash(r rune, x, y int32) int {
	h := uint64(uint32(r))*0x9E3779B97F4A7C15 ^ uint64(uint32(x))*0xC2B2AE3D27D4EB4F ^ uint64(uint32(y))*0x165667B19E3779F9
	return int(h * 0x9E3779B97F4A7C15 >> s.shift)
}
