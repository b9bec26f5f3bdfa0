package layout

import (
	"math"
	"slices"
	"unicode"
)

// Thresholds for drop initials, the large letters at the start of a text that reach down over several of its lines.
const (
	// initialRatio is the least size of an initial against its text: over two lines it is more than twice as large.
	initialRatio = 1.8
	// initialGap is the widest gap between an initial and the lines beside it, in ems of the text.
	initialGap = 1.2
	// mostInitials on a page are looked for; each is compared with all fragments.
	mostInitials = 20
)

// dropInitials puts each drop initial before the first line beside it. It stands on the baseline of the last one, and
// would be taken for its first letter, or the first line for its superscript. The lines beside it begin where it does,
// for they are not set in on purpose.
func dropInitials(frags []fragment) []fragment {
	usual := 0.0 // font size of the page, once it is asked for
	looked := 0
	for i := 0; i < len(frags) && looked < mostInitials; i++ {
		if !initialPiece(&frags[i].pieces[0]) {
			continue
		}
		if usual == 0 {
			usual = usualFragmentSize(frags)
		}
		if frags[i].pieces[0].size < initialRatio*usual {
			continue
		}
		looked++
		apart := splitInitial(frags, i)
		beside := besideInitial(&apart[i], apart)
		if len(beside) < 2 {
			continue
		}
		initial := apart[i].pieces[0]
		host := &apart[beside[0]]
		initial.base, initial.size = host.base, host.size
		initial.box.Top, initial.box.Bottom = host.box.Top, host.box.Bottom
		host.pieces = append([]piece{initial}, host.pieces...)
		host.pieces[1].glue = !initial.spaced
		host.order = min(host.order, apart[i].order)
		host.settle()
		for _, k := range beside[1:] {
			apart[k].pieces = slices.Clone(apart[k].pieces)
			apart[k].pieces[0].box.Left = initial.box.Left
			apart[k].settle()
		}
		frags = slices.Delete(apart, i, i+1)
		i--
	}
	return frags
}

// splitInitial gives fragments with the first piece of fragment i on its own, followed by the rest of that fragment.
func splitInitial(frags []fragment, i int) []fragment {
	f := &frags[i]
	if len(f.pieces) == 1 {
		return slices.Clone(frags)
	}
	parts := splitPieces(f, func(p *piece) int {
		if p == &f.pieces[0] {
			return 0
		}
		return 1
	})
	parts[0].pieces[0].spaced = !f.pieces[1].glue
	out := slices.Insert(slices.Clone(frags), i+1, parts[1].fragment)
	out[i] = parts[0].fragment
	return out
}

// initialPiece reports whether a piece is a single letter, with a quotation mark before it at most.
func initialPiece(p *piece) bool {
	letters := 0
	for _, r := range p.text {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	return p.runes <= 2 && letters == 1
}

// besideInitial gives the lines beside an initial, from top to bottom: smaller text that begins at its right, between
// its top and its foot.
func besideInitial(initial *fragment, frags []fragment) []int {
	var out []int
	box := initial.pieces[0].box
	for k := range frags {
		f := &frags[k]
		if f.size*initialRatio > initial.size || f == initial {
			continue
		}
		gap := f.box.Left - box.Right
		if gap > -0.2*f.size && gap < initialGap*f.size && f.base > box.Top && f.base < box.Bottom+0.4*f.size {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b int) int { return compare(frags[a].base, frags[b].base) })
	if len(out) == 0 || math.Abs(frags[out[0]].base-0.7*frags[out[0]].size-box.Top) > 0.8*frags[out[0]].size {
		return nil // its top is not that of a line: it is a letter of something else
	}
	return out
}
