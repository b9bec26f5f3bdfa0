package layout

import (
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// drawnBullets gives fragments for the bullets that a page draws as small shapes or pictures before its lines of text
// instead of showing characters. A shape is one where it stands alone before a line, at the height of its letters, and
// another of the same looks stands at the same left edge: legends of charts have a colour for each entry. Cost: n log n.
func drawnBullets(c *document.Content, f frame, frags []fragment) []fragment {
	const most = 2000 // small shapes on a page: more are a drawing
	shapes := smallShapes(c, f)
	if len(shapes) < 2 || len(shapes) > most || len(frags) == 0 {
		return nil
	}
	byBase := make([]int, len(frags))
	for i := range byBase {
		byBase[i] = i
	}
	slices.SortFunc(byBase, func(a, b int) int { return compare(frags[a].base, frags[b].base) })
	type looks struct {
		left, width, height int // in points
		color               uint32
		hollow, image       bool
	}
	groups := make(map[looks][]fragment)
	var order []looks
	for _, s := range shapes {
		host := hostOf(s.box, frags, byBase)
		if host == nil {
			continue
		}
		k := looks{int(math.Round(s.box.Left)), int(math.Round(s.box.Width())), int(math.Round(s.box.Height())), s.color, s.hollow, s.image}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], bulletFragment(s, host))
	}
	var out []fragment
	for _, k := range order {
		if len(groups[k]) > 1 {
			out = append(out, groups[k]...)
		}
	}
	return out
}

// A smallShape is a drawn shape or picture of the size of a bullet.
type smallShape struct {
	box           document.Box
	color         uint32
	hollow, image bool
}

func smallShapes(c *document.Content, f frame) []smallShape {
	const (
		least, most = 1.5, 12.0 // points in both directions: bullets of 5-point to 20-point text
		round       = 0.6       // the lesser of width and height in the greater, at least
	)
	fits := func(b document.Box) bool {
		w, h := b.Width(), b.Height()
		return w >= least && h >= least && w <= most && h <= most && math.Min(w, h) >= round*math.Max(w, h)
	}
	var out []smallShape
	for i := range c.Rules {
		r := &c.Rules[i]
		if b := f.box(r.Box); r.Kind != document.RuleLine && fits(b) {
			out = append(out, smallShape{box: b, color: r.Color, hollow: r.Kind == document.RuleStroke})
		}
	}
	for i := range c.Images {
		if b := f.box(c.Images[i].Box); fits(b) {
			out = append(out, smallShape{box: b, image: true})
		}
	}
	return out
}

// hostOf gives the line of text that a shape stands before, nil for none. byBase are the fragments by baseline.
func hostOf(b document.Box, frags []fragment, byBase []int) *fragment {
	const (
		nearest, farthest = 0.15, 2.0 // ems between shape and text
		largest           = 0.85      // of the font size
		top, bottom       = 0.8, 0.05 // ems around the baseline between which the middle of the shape lies
		least             = 6         // characters of the text: shorter ones are labels
	)
	x, y := (b.Left+b.Right)/2, (b.Top+b.Bottom)/2
	const reach = 30.0 // points below the shape, in which the baseline of text of any usual size lies
	at, _ := slices.BinarySearchFunc(byBase, y-2, func(i int, y float64) int { return compare(frags[i].base, y) })
	var host *fragment
	for _, i := range byBase[at:] {
		f := &frags[i]
		if f.base > y+reach {
			break
		}
		if y < f.base-top*f.size || y > f.base+bottom*f.size {
			continue
		}
		if f.box.Left < x && f.box.Right > b.Left-farthest*f.size {
			return nil // it stands in or behind text
		}
		if f.box.Left > x && (host == nil || f.box.Left < host.box.Left) {
			host = f
		}
	}
	if host == nil || host.runes < least || math.Max(b.Width(), b.Height()) > largest*host.size {
		return nil
	}
	if gap := host.box.Left - b.Right; gap < nearest*host.size || gap > farthest*host.size {
		return nil
	}
	return host
}

// bulletFragment is the character that stands for a shape before host.
func bulletFragment(s smallShape, host *fragment) fragment {
	p := host.pieces[0]
	text := "•"
	if s.hollow {
		text = "□"
	}
	p = piece{text: text, box: s.box, base: host.base, size: host.size, font: p.font, color: p.color, object: p.object, runes: 1}
	return fragment{pieces: []piece{p}, box: s.box, base: host.base, size: host.size, runes: 1, order: host.order}
}

// outsideTables leaves out the bullets in tables and figures, which have taken the text after them.
func outsideTables(bullets []fragment, tables []*block) []fragment {
	return slices.DeleteFunc(bullets, func(b fragment) bool { return inTable(b.box, tables) })
}
