package layout

import (
	"math"
	"slices"
)

// A strip is a set of atoms whose vertical extents overlap; no horizontal cut goes through it.
type strip struct {
	atoms []atom
	cover []interval // horizontal extents of the atoms, united
}

// An interval is a closed range on an axis, in points.
type interval struct{ from, to float64 }

const (
	// steadiness is the power: above 1, so that a gutter between text columns prevails over the gaps between
	// labels of a chart in one of them; below 2, so that a table of many columns prevails over a gap that it
	// shares with the text below.
	steadiness = 1.5
	// bandWindow in strips bounds how far a band of columns is searched. A dense page has 100 lines.
	bandWindow = 300
	// bandSteps bounds the work on all bands of a column: where there are more than 200 strips, which is no page
	// of text, bands are searched less far.
	bandSteps = 200 * bandWindow
)

// makeStrips makes all horizontal cuts at once, from top to bottom.
func makeStrips(atoms []atom) []strip {
	sorted := slices.Clone(atoms)
	slices.SortStableFunc(sorted, func(a, b atom) int { return compare(a.top, b.top) })
	var out []strip
	for start := 0; start < len(sorted); {
		end, bottom := start+1, sorted[start].bottom
		for end < len(sorted) && sorted[end].top < bottom {
			bottom = math.Max(bottom, sorted[end].bottom)
			end++
		}
		s := strip{atoms: sorted[start:end:end]}
		for _, a := range s.atoms {
			s.cover = append(s.cover, interval{a.left, a.right})
		}
		s.cover = unite(s.cover)
		out = append(out, s)
		start = end
	}
	return out
}

// unite sorts intervals and merges those that overlap.
func unite(list []interval) []interval {
	slices.SortFunc(list, func(a, b interval) int { return compare(a.from, b.from) })
	out := list[:0]
	for _, i := range list {
		if n := len(out); n > 0 && i.from <= out[n-1].to {
			out[n-1].to = math.Max(out[n-1].to, i.to)
		} else {
			out = append(out, i)
		}
	}
	return out
}

// gaps gives the spaces between the intervals of a united list that are at least width wide.
func gaps(cover []interval, width float64) []interval {
	var out []interval
	for i := 1; i < len(cover); i++ {
		if cover[i].from-cover[i-1].to >= width {
			out = append(out, interval{cover[i-1].to, cover[i].from})
		}
	}
	return out
}

// A band is a run of strips, first inclusive, last exclusive, with the gutters that all of them leave free.
type band struct {
	first, last int
	gutters     []interval
}

// bands divides strips into bands so that the worth of all gutters is largest (dynamic programming over the end
// of the last band). A strip confirms a gutter with the number of its atoms on the poorer side. A gutter is
// worth a power of its confirmations but one: a single row with a gap in it is no band, and one long gutter
// is worth more than many short ones. Cost: strips × bandWindow,
// bandSteps at most.
func bands(strips []strip, width float64) []band {
	n := len(strips)
	window := min(bandWindow, max(bandSteps/max(n, 1), 10))
	best := make([]float64, n+1)
	choice := make([]band, n+1)
	for j := 1; j <= n; j++ {
		best[j] = math.Inf(-1)
	}
	for i := range n {
		improve := func(j int, value float64, gutters []interval) {
			if value > best[j] {
				best[j], choice[j] = value, band{i, j, gutters}
			}
		}
		improve(i+1, best[i], nil)
		var cover []interval
		var last []interval
		for j := i; j < n && j < i+window; j++ {
			next := unite(append(slices.Clone(cover), strips[j].cover...))
			now := gaps(next, width)
			if len(last) > len(now) || lost(last, now) {
				worth, confirmed := confirmations(strips[i:j], last)
				improve(j, best[i]+worth, confirmed)
			}
			cover, last = next, now
			if len(now) == 0 && solid(strips, cover, i, width) {
				last = nil
				break
			}
			if j+1 == n || j+1 == i+window {
				worth, confirmed := confirmations(strips[i:j+1], last)
				improve(j+1, best[i]+worth, confirmed)
			}
		}
	}
	var out []band
	for j := n; j > 0; j = choice[j].first {
		out = append(out, choice[j])
	}
	slices.Reverse(out)
	return out
}

// lost reports whether a gutter of before lies in none of after.
func lost(before, after []interval) bool {
	for _, b := range before {
		found := false
		for _, a := range after {
			if a.from < b.to && b.from < a.to {
				found = true
				break
			}
		}
		if !found {
			return true
		}
	}
	return false
}

// solid reports whether no later strip can make a gutter beside cover: it is as wide as the page's text, so
// that what follows adds nothing at its sides.
func solid(strips []strip, cover []interval, first int, width float64) bool {
	if len(cover) == 0 {
		return false
	}
	left, right := cover[0].from, cover[len(cover)-1].to
	for k := first + 1; k < len(strips) && k < first+40; k++ {
		c := strips[k].cover
		if c[0].from < left-width || c[len(c)-1].to > right+width {
			return false
		}
	}
	return true
}

// confirmations gives the worth of gutters to a band of strips, and those of them that some strip has text on both
// sides of. Others only separate what stands one below the other.
func confirmations(strips []strip, gutters []interval) (worth float64, confirmed []interval) {
	for k, g := range gutters {
		// Only the neighbouring columns confirm a gutter; others have their own.
		from, to := math.Inf(-1), math.Inf(1)
		if k > 0 {
			from = gutters[k-1].from
		}
		if k+1 < len(gutters) {
			to = gutters[k+1].to
		}
		x := (g.from + g.to) / 2
		sum := 0
		for _, s := range strips {
			left, right := 0, 0
			for _, a := range s.atoms {
				if a.right <= x && a.left >= from {
					left++
				} else if a.left >= x && a.right <= to {
					right++
				}
			}
			sum += min(left, right)
		}
		worth += math.Pow(math.Max(0, float64(sum-1)), steadiness)
		if sum > 0 {
			confirmed = append(confirmed, g)
		}
	}
	return worth, confirmed
}
