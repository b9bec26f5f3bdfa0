package ocr

import (
	"image"
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// The rules of a scan, of its tables and under its words, are part of the picture. They are taken out of it before it is
// read: Tesseract takes them for letters, and loses underlined words. The layout gets them, as it gets those that a PDF
// draws, and finds tables by them.

// Thresholds for rules, in inches.
const (
	// shortestRule is longer than the bars and stems of letters of up to 50 points.
	shortestRule = 0.5
	// thickestRule is that of a frame. What is thicker is a bar or a picture.
	thickestRule = 0.04
	// ruleGap may be missing between parts of a rule: faint print, grain.
	ruleGap = 0.02
	// ruleReach is from the end of a rule to one that it meets.
	ruleReach = 0.08
)

// mostRules of a page are taken: a form has a hundred. More are a pattern.
const mostRules = 2000

// A rule is a straight line in a picture, from end to end along its middle.
type rule struct {
	x0, y0, x1, y1 float64 // pixels
	thickness      float64
}

// takeRules finds the rules of a picture and paints them over with what is beside them. Vertical ones count only where
// they meet others: alone they are the shadow of a page's edge.
func takeRules(img *image.Gray, dpi float64) []rule {
	limit := darkness(img)
	across := grid{img.Pix, img.Rect.Dx(), img.Rect.Dy(), 1, img.Stride, limit}
	down := grid{img.Pix, img.Rect.Dy(), img.Rect.Dx(), img.Stride, 1, limit}
	horizontal, vertical := across.findStrokes(dpi), down.findStrokes(dpi)
	if len(horizontal)+len(vertical) > mostRules {
		return nil
	}
	var rules []rule
	for _, s := range horizontal {
		rules = append(rules, s.rule())
	}
	reach := ruleReach * dpi
	var met []stroke
	for _, s := range vertical {
		v := s.rule()
		v.x0, v.y0, v.x1, v.y1 = v.y0, v.x0, v.y1, v.x1
		if slices.ContainsFunc(horizontal, func(h stroke) bool {
			r := h.rule()
			x, y := (v.x0+v.x1)/2, (r.y0+r.y1)/2
			return x > r.x0-reach && x < r.x1+reach && y > v.y0-reach && y < v.y1+reach
		}) {
			met = append(met, s)
			rules = append(rules, v)
		}
	}
	for _, s := range horizontal {
		across.erase(s)
	}
	for _, s := range met {
		down.erase(s)
	}
	return rules
}

// darkness is the brightness that divides ink from paper best (Otsu, 1979): the sum of both sides' variances is least.
func darkness(img *image.Gray) uint8 {
	var count [256]float64
	total, sum := 0.0, 0.0
	for _, v := range img.Pix {
		count[v]++
	}
	for v, n := range count {
		total += n
		sum += float64(v) * n
	}
	best, limit := -1.0, uint8(128)
	dark, darkSum := 0.0, 0.0
	for v, n := range count {
		dark += n
		darkSum += float64(v) * n
		if dark == 0 || dark == total {
			continue
		}
		d := darkSum/dark - (sum-darkSum)/(total-dark)
		if between := dark * (total - dark) * d * d; between > best {
			best, limit = between, uint8(v)
		}
	}
	return limit
}

// A grid is a picture whose rows run along the rules that are looked for: those of the picture, or its columns.
type grid struct {
	pix           []byte
	width, height int
	right, down   int // from a pixel to the next one in its row, and in the next row
	limit         uint8
}

func (g *grid) dark(x, y int) bool { return g.pix[x*g.right+y*g.down] <= g.limit }

// A span is a stretch of a row that is dark.
type span struct{ y, from, to int } // to is exclusive

// A stroke is what may be a rule: runs that touch.
type stroke struct {
	runs     []span
	from, to int
	area     int // pixels
}

// rule is the line through the middles of the strokes' ends.
func (s *stroke) rule() rule {
	middle := func(x int) float64 {
		sum, n := 0, 0
		const near = 10 // pixels
		for _, r := range s.runs {
			if r.from <= x+near && r.to > x-near {
				sum += r.y
				n++
			}
		}
		return float64(sum)/float64(max(n, 1)) + 0.5
	}
	return rule{x0: float64(s.from), y0: middle(s.from), x1: float64(s.to), y1: middle(s.to - 1), thickness: float64(s.area) / float64(s.to-s.from)}
}

// findStrokes finds the strokes along the rows that are as long and thin as rules. Its cost is linear in the pixels.
func (g *grid) findStrokes(dpi float64) []stroke {
	shortest, thickest, gap := int(shortestRule*dpi), thickestRule*dpi, int(ruleGap*dpi)
	if shortest < 2 {
		return nil
	}
	// A rule that slants a little, or is broken, has shorter runs in each row. Serifs and bars of letters are shorter still.
	least := shortest / 3
	var open, done []stroke
	settle := func(s stroke) {
		if s.to-s.from >= shortest && float64(s.area) <= thickest*float64(s.to-s.from) && len(done) <= mostRules {
			done = append(done, s)
		}
	}
	for y := range g.height {
		row := g.runs(y, least)
		kept := open[:0]
		for _, s := range open {
			if s.runs[len(s.runs)-1].y < y-2 {
				settle(s)
				continue
			}
			kept = append(kept, s)
		}
		open = kept
		for _, r := range row {
			i := slices.IndexFunc(open, func(s stroke) bool { return r.from <= s.to+gap && r.to >= s.from-gap })
			if i < 0 {
				open = append(open, stroke{from: r.from, to: r.to})
				i = len(open) - 1
			}
			s := &open[i]
			s.runs = append(s.runs, r)
			s.from, s.to, s.area = min(s.from, r.from), max(s.to, r.to), s.area+r.to-r.from
		}
	}
	for _, s := range open {
		settle(s)
	}
	return done
}

// runs are the dark stretches of a row of at least so many pixels.
func (g *grid) runs(y, least int) []span {
	var out []span
	from := -1
	for x := range g.width {
		switch {
		case !g.dark(x, y):
			if from >= 0 && x-from >= least {
				out = append(out, span{y, from, x})
			}
			from = -1
		case from < 0:
			from = x
		}
	}
	if from >= 0 && g.width-from >= least {
		out = append(out, span{y, from, g.width})
	}
	return out
}

// erase paints over a stroke with what is lighter of both sides, but for what crosses it.
func (g *grid) erase(s stroke) {
	top, bottom := make([]int, s.to-s.from), make([]int, s.to-s.from)
	for i := range top {
		top[i] = -1
	}
	for _, r := range s.runs {
		for x := r.from; x < r.to; x++ {
			if top[x-s.from] < 0 {
				top[x-s.from] = r.y
			}
			bottom[x-s.from] = r.y
		}
	}
	const (
		edge  = 2 // pixels around a rule that are gray
		slant = 3 // pixels by which what crosses it may have gone sideways: the tail of a y
	)
	for i, y := range top {
		if y < 0 {
			continue
		}
		x, above, below := s.from+i, max(y-edge-1, 0), min(bottom[i]+edge+1, g.height-1)
		if g.darkNear(x, above, slant) && g.darkNear(x, below, slant) {
			continue
		}
		paper := max(g.pix[x*g.right+above*g.down], g.pix[x*g.right+below*g.down])
		for row := above + 1; row < below; row++ {
			at := x*g.right + row*g.down
			g.pix[at] = max(g.pix[at], paper)
		}
	}
}

// darkNear reports whether a pixel of a row within some of x is dark.
func (g *grid) darkNear(x, y, within int) bool {
	for k := max(x-within, 0); k <= min(x+within, g.width-1); k++ {
		if g.dark(k, y) {
			return true
		}
	}
	return false
}

// appendRules adds the rules to the content of the page, straightened as its lines are. A page that draws rules itself has
// them already.
func (t *Text) appendRules(c *document.Content) {
	if slices.ContainsFunc(c.Rules, func(r document.Rule) bool { return r.Kind != document.RuleCurve }) {
		return
	}
	scale := point / t.dpi
	sin, cos := math.Sincos(-t.angle)
	x0, y0 := c.Width/2, c.Height/2
	for _, r := range t.rules {
		turn := func(x, y float64) (float64, float64) {
			x, y = x*scale-x0, y*scale-y0
			return x0 + x*cos - y*sin, y0 + x*sin + y*cos
		}
		ax, ay := turn(r.x0, r.y0)
		bx, by := turn(r.x1, r.y1)
		half := r.thickness * scale / 2
		box := document.Box{Left: min(ax, bx), Right: max(ax, bx), Top: (ay+by)/2 - half, Bottom: (ay+by)/2 + half}
		if math.Abs(by-ay) > math.Abs(bx-ax) {
			box = document.Box{Left: (ax+bx)/2 - half, Right: (ax+bx)/2 + half, Top: min(ay, by), Bottom: max(ay, by)}
		}
		c.Rules = append(c.Rules, document.Rule{Kind: document.RuleLine, Box: box, Width: 2 * half, Color: black, MCID: -1})
	}
}
