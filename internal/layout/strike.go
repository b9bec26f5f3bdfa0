package layout

import "slices"

// strikePieces marks the words that a horizontal line crosses out. Cost: words × logarithm of the page's lines.
func strikePieces(frags []fragment, e edges) {
	const (
		// Lines between lowest and highest, in ems above the baseline, go through small letters; underlines are
		// below, lines of fractions and roots beside.
		lowest, highest = 0.15, 0.45
		// covered is the least share of a word's width; longest is how much longer than its text a line may be,
		// in ems, so that rules of tables that touch a word cross nothing out.
		covered, longest = 0.8, 2.0
	)
	for i := range frags {
		f := &frags[i]
		first, _ := slices.BinarySearchFunc(e.horizontal, f.base-highest*f.size, func(e edge, y float64) int { return compare(e.at, y) })
		for k := first; k < len(e.horizontal) && e.horizontal[k].at <= f.base-lowest*f.size; k++ {
			h := e.horizontal[k]
			if h.fill || h.from < f.box.Left-longest*f.size || h.to > f.box.Right+longest*f.size {
				continue
			}
			for n := range f.pieces {
				p := &f.pieces[n]
				p.strike = p.strike || min(h.to, p.box.Right)-max(h.from, p.box.Left) >= covered*p.box.Width()
			}
		}
	}
}
