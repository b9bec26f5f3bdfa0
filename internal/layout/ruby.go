package layout

import (
	"math"
	"slices"
	"unicode"
)

// Thresholds for ruby, the small kana over ideographs that say how to read them.
const (
	// rubySize is the largest size of ruby against its text; half is the rule.
	rubySize = 0.65
	// rubyLow and rubyHigh bound the distance of its baseline above that of the text, in ems of the text: it stands on
	// the text's square, the next line above is farther.
	rubyLow, rubyHigh = 0.6, 1.15
	// mostRuby on a page are looked at; each is compared with all fragments.
	mostRuby = 500
)

// setRuby puts ruby in parentheses behind the ideographs that it stands over, as is usual where it cannot be printed
// small: as lines of their own they would divide the text.
func setRuby(frags []fragment) []fragment {
	if !slices.ContainsFunc(frags, func(f fragment) bool { return f.wide > 0 }) {
		return frags
	}
	usual := usualFragmentSize(frags)
	looked := 0
	for i := range frags {
		f := &frags[i]
		if f.size > rubySize*usual || looked == mostRuby || !isKana(f.pieces) {
			continue
		}
		looked++
		if host := rubyHost(f, frags); host != nil && host.addRuby(f) {
			f.pieces = nil
		}
	}
	return slices.DeleteFunc(frags, func(f fragment) bool { return len(f.pieces) == 0 })
}

func isKana(pieces []piece) bool {
	for i := range pieces {
		for _, r := range pieces[i].text {
			if !unicode.In(r, unicode.Hiragana, unicode.Katakana) && r != 'ー' {
				return false
			}
		}
	}
	return true
}

// rubyHost finds the line that ruby stands over.
func rubyHost(ruby *fragment, frags []fragment) *fragment {
	for i := range frags {
		f := &frags[i]
		if len(f.pieces) == 0 || f.wide == 0 || ruby.size > rubySize*f.size || f.pieces[0].shown != nil {
			continue
		}
		d := (f.base - ruby.base) / f.size
		if d >= rubyLow && d <= rubyHigh && ruby.box.Left > f.box.Left-f.size && ruby.box.Right < f.box.Right+f.size {
			return f
		}
	}
	return nil
}

// addRuby puts ruby into the text of f. It does nothing where there are no ideographs below it.
func (f *fragment) addRuby(ruby *fragment) bool {
	middle := (ruby.box.Left + ruby.box.Right) / 2
	for i := range f.pieces {
		p := &f.pieces[i]
		if middle < p.box.Left || middle > p.box.Right {
			continue
		}
		runes := []rune(p.text)
		at := behindIdeographs(runes, p, middle)
		if at == 0 {
			return false
		}
		share := p.box.Left + p.box.Width()*float64(at)/float64(len(runes))
		reading := *p
		reading.text, reading.glue, reading.wide = "（"+joinPieces(ruby.pieces)+"）", true, 2+ruby.wide
		reading.runes = 2 + ruby.runes
		reading.spans = pieceSpans(ruby.pieces)
		reading.box.Left, reading.box.Right = share, share
		before, after := *p, *p
		before.text, before.runes, before.box.Right = string(runes[:at]), at, share
		after.text, after.runes, after.box.Left, after.glue = string(runes[at:]), len(runes)-at, share, true
		before.wide, after.wide = min(p.wide, before.runes), max(p.wide-before.runes, 0)
		after.spans = nil
		parts := []piece{before, reading, after}
		if after.text == "" {
			parts = parts[:2]
		}
		f.pieces = slices.Concat(f.pieces[:i], parts, f.pieces[i+1:])
		f.settle()
		return true
	}
	return false
}

// behindIdeographs gives the end of the run of ideographs of a piece that a place is in, 0 when it is in none. Ideographs
// and kana are equally wide. A run with several readings is divided where they end: the place is the middle of one.
func behindIdeographs(runes []rune, p *piece, x float64) int {
	at := int(math.Floor(float64(len(runes)) * (x - p.box.Left) / math.Max(p.box.Width(), 1)))
	at = min(max(at, 0), len(runes)-1)
	if !unicode.Is(unicode.Han, runes[at]) {
		return 0
	}
	for at < len(runes) && unicode.Is(unicode.Han, runes[at]) {
		at++
	}
	return at
}
