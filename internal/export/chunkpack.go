package export

import (
	"strings"
	"unicode/utf8"
)

// pack divides the pieces of a group into chunks and writes them.
//
// A chunk ends at the best break in its second half: before a heading rather than between blocks, items or sentences. Of
// equal ones it is not the last, but the one whose next unit has the smallest hash. So where a text has changed, the
// chunks behind soon break where they did before and are the same ones again (content-defined chunking; Muthitacharoen
// et al., A Low-bandwidth Network File System, 2001, which takes breaks by their hash as well).
func (c *chunker) pack(pieces []chunkPiece) {
	p := packer{chunker: c, pieces: pieces, sums: make([]int, len(pieces)+1)}
	for i := range pieces {
		p.sums[i+1] = p.sums[i] + pieces[i].tokens
		if !p.follows(i) {
			p.sums[i+1] += pieces[i].start
		}
	}
	start := 0
	for at := 0; at < len(pieces); {
		end := p.chunk(start, at)
		start, at = at, end
	}
}

type packer struct {
	*chunker
	pieces []chunkPiece
	sums   []int // tokens of the pieces before each, about
}

// follows reports whether a piece is the unit after the one before it of the same block.
func (p *packer) follows(i int) bool {
	return i > 0 && p.pieces[i].block == p.pieces[i-1].block && p.pieces[i].unit == p.pieces[i-1].unit+1
}

// cost is about the number of tokens of a chunk of these pieces.
func (p *packer) cost(from, to int) int {
	n := p.sums[to] - p.sums[from]
	if from < to && p.follows(from) {
		n += p.pieces[from].start
	}
	return n
}

// chunk writes the chunk that begins at a piece, and gives the piece after it. The one before it begins at start.
func (p *packer) chunk(start, at int) (end int) {
	repeated := p.repeat(start, at)
	for budget := p.max - repeated.tokens; ; {
		end = p.end(at, budget)
		text := p.text(at, end)
		if repeated.text != "" {
			text = repeated.text + repeated.gap + text
		}
		tokens := p.tokens.count(text)
		switch {
		case tokens <= p.max || end == at+1 && repeated.text == "":
			var places []place
			add := func(pl place) { places = append(places, pl) }
			if repeated.places != nil {
				repeated.places(add)
			}
			p.places(at, end, add)
			p.write(text, tokens, utf8.RuneCountInString(repeated.text), p.below(at, end), places)
			return end
		case end == at+1:
			repeated, budget = repetition{}, p.max
		default: // the estimate was too low
			cost := p.cost(at, end)
			budget = min(cost*(p.max-repeated.tokens)/max(tokens-repeated.tokens, 1), cost-1)
		}
	}
}

// end is where the chunk that begins at a piece and has room for the given number of tokens ends.
func (p *packer) end(at, budget int) int {
	full := at + 1
	for full < len(p.pieces) && p.cost(at, full+1) <= budget {
		full++
	}
	if full == len(p.pieces) {
		return full
	}
	small := p.max / 8                               // the last chunk is not left with less
	titles := p.cost(at, at+1) - p.pieces[at].tokens // and what else is repeated
	best := -1
	for e := full; e > at && p.cost(at, e) >= titles+(budget-titles)/4; e-- {
		if p.pieces[e].rank == rankTogether || p.cost(e, len(p.pieces)) < small {
			continue
		}
		b := &p.pieces[e]
		if p.cost(at, e) < titles+(budget-titles)/2 { // so short only for the sake of a whole block
			if b.rank >= rankBlock && (best < 0 || p.pieces[best].rank < rankBlock) {
				return e
			}
			continue
		}
		if best < 0 || b.rank > p.pieces[best].rank || b.rank == p.pieces[best].rank && b.hash < p.pieces[best].hash {
			best = e
		}
	}
	if best > 0 {
		return best
	}
	for e := full; e > at; e-- {
		if p.pieces[e].rank != rankTogether {
			return e
		}
	}
	return full
}

// parts calls do for the stretches of each block among the pieces.
func (p *packer) parts(from, to int, do func(first, end int)) {
	for first := from; first < to; {
		end := first + 1
		for end < to && p.follows(end) {
			end++
		}
		do(first, end)
		first = end
	}
}

func (p *packer) text(from, to int) string {
	var b strings.Builder
	p.parts(from, to, func(first, end int) {
		text := p.pieces[first].block.markdown(p.pieces[first].unit, p.pieces[end-1].unit+1)
		if text != "" && b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(text)
	})
	return b.String()
}

func (p *packer) places(from, to int, add func(place)) {
	p.parts(from, to, func(first, end int) {
		for i := first; i < end; i++ {
			for _, also := range p.pieces[i].also {
				add(also)
			}
		}
		p.pieces[first].block.places(p.pieces[first].unit, p.pieces[end-1].unit+1, add)
	})
}

// below is the heading that all the text of a chunk stands below.
func (p *packer) below(from, to int) *heading {
	var at *heading
	some := false
	for i := from; i < to; i++ {
		if q := &p.pieces[i]; !q.title {
			if some {
				at = at.common(q.heading)
			} else {
				at, some = q.heading, true
			}
		}
	}
	if !some {
		return p.pieces[to-1].heading
	}
	return at
}

// repetition is what a chunk repeats of the one before it.
type repetition struct {
	text   string
	gap    string // between it and the rest
	tokens int
	places func(add func(place))
}

// repeat is what a chunk that begins at a piece repeats of the one before, which begins at start: its last sentences
// and list items, whole ones if any is short enough. Nothing is repeated over a heading, and nothing before or of a
// table or listing.
func (p *packer) repeat(start, at int) repetition {
	if at == start || p.overlap == 0 || p.pieces[at].rank == rankSection || !p.runs(at) || !p.runs(at-1) {
		return repetition{}
	}
	from := at
	for from > start && p.runs(from-1) && p.cost(from-1, at) <= p.overlap {
		from--
	}
	gap := "\n\n"
	if p.follows(at) {
		gap = "\n"
		if b, ok := p.pieces[at].block.(*textBlock); ok {
			gap = b.gap(p.pieces[at].unit)
		}
	}
	for ; from < at; from++ { // the marks of lists around them add to the cost
		text := p.text(from, at)
		if n := p.tokens.count(text); n <= p.overlap {
			return repetition{text, gap, n, func(add func(place)) { p.places(from, at, add) }}
		}
	}
	b, ok := p.pieces[at-1].block.(*textBlock)
	if !ok {
		return repetition{}
	}
	unit := p.pieces[at-1].unit
	text, offset := b.tail(p.chunker, unit, p.overlap)
	if text == "" {
		return repetition{}
	}
	return repetition{text, gap, p.tokens.count(text), func(add func(place)) { b.placesOf(offset, b.parts[unit].to, add) }}
}

// runs reports whether a piece is of a text or list, but no heading.
func (p *packer) runs(i int) bool {
	switch p.pieces[i].block.(type) {
	case *textBlock, *listBlock:
		return !p.pieces[i].title
	}
	return false
}
