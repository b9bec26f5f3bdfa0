package safety

import (
	"image"
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// How parts of a page are painted, in pixels for the size of the smallest type: first coarsely, which shows most text and
// is quick, then what was not seen finely. Letters have strokes of about a twelfth of their size: two pixels, so that at
// least one has the full colour. Where that takes too many pixels the scale is less, and where letters get less than
// leastPixels nothing is decided: they stay.
const (
	coarse      = 8.0
	fine        = 24.0
	leastPixels = 5.0
	leastScale  = 0.5 // pixels per point
	mostScale   = 8.0
	mostPixels  = 4_000_000 // of all parts of a page, 16 MB
	mostSide    = 8000.0    // pixels
)

// mostParts bounds the parts of a page that are painted one by one.
const mostParts = 128

// look paints the runs in question and finds the glyphs that make no difference.
func (j *judge) look(asked []run) error {
	if j.unseen == nil {
		j.unseen = make([]bool, len(j.content.Glyphs))
	}
	for i := range asked {
		for k := asked[i].from; k < asked[i].to; k++ {
			j.unseen[k] = paintable(j.content, &j.content.Glyphs[k])
		}
	}
	every := make([]*run, len(asked))
	for i := range asked {
		every[i] = &asked[i]
	}
	for _, pass := range []func([]*run) error{
		j.compareGround,
		func(r []*run) error { return j.compare(r, coarse) },
		func(r []*run) error { return j.compare(r, fine) },
	} {
		if err := pass(every); err != nil {
			return err
		}
		every = slices.DeleteFunc(every, func(r *run) bool { return !slices.Contains(j.unseen[r.from:r.to], true) })
	}
	return nil
}

// paintable reports whether a glyph leaves ink where nothing hides it. What the file does not bring along and PDFium's
// fonts do not have, letters beyond Latin, leaves none here, but does elsewhere.
func paintable(c *document.Content, g *document.Glyph) bool {
	return inked(g) && (g.Rune < 0x250 || int(g.Font) >= len(c.Fonts) || c.Fonts[g.Font].Embedded)
}

// compareGround is a quicker compare for runs that are in doubt only for what lies behind them, which is painted alone.
// Glyphs of another colour are seen.
func (j *judge) compareGround(asked []*run) error {
	asked = slices.DeleteFunc(slices.Clone(asked), func(r *run) bool { return r.signs != signContrast })
	parts, in := j.parts(asked, coarse/2)
	bare := pictures(parts)
	if err := j.show(parts, nil, bare, asked); err != nil {
		return err
	}
	for i, r := range asked {
		for k := r.from; k < r.to && in[i] >= 0; k++ {
			if g := &j.content.Glyphs[k]; j.unseen[k] {
				j.unseen[k] = !stands(bare[in[i]], parts[in[i]].pixels(g.Box), g.Color)
			}
		}
	}
	return nil
}

// show paints parts, in bare without the given runs' text.
func (j *judge) show(parts []part, whole, bare []*image.RGBA, runs []*run) error {
	if len(parts) == 0 {
		return nil
	}
	boxes := make([]document.Box, len(parts))
	for i := range parts {
		boxes[i] = parts[i].box
	}
	var without []int32
	for _, r := range runs {
		o := j.content.Glyphs[r.from].Object
		without = append(append(without, o), j.echoes(o)...)
	}
	slices.Sort(without)
	return j.paint(boxes, whole, bare, slices.Compact(without))
}

// pictures makes room for those of some parts.
func pictures(parts []part) []*image.RGBA {
	list := make([]*image.RGBA, len(parts))
	for i := range parts {
		list[i] = image.NewRGBA(parts[i].size())
	}
	return list
}

// compare paints runs with and without their text, and takes back that glyphs are unseen where that makes a difference, or
// nothing can be said.
func (j *judge) compare(asked []*run, em float64) error {
	parts, in := j.parts(asked, em)
	whole, bare := pictures(parts), pictures(parts)
	if err := j.show(parts, whole, bare, asked); err != nil {
		return err
	}
	for i, r := range asked {
		known := in[i] >= 0 && (em < fine || parts[in[i]].scale*r.size >= leastPixels)
		for k := r.from; k < r.to; k++ {
			if !j.unseen[k] {
				continue
			}
			g := &j.content.Glyphs[k]
			j.unseen[k] = known && !differs(whole[in[i]], bare[in[i]], parts[in[i]].pixels(g.Box), g.Mode == modeClip)
			if j.unseen[k] {
				r.blends = j.blends(g, bare[in[i]], parts[in[i]])
			}
		}
	}
	return nil
}

// blends reports whether a glyph has the colour of the middle of its box, without it.
func (j *judge) blends(g *document.Glyph, bare *image.RGBA, p part) bool {
	box := p.pixels(g.Box)
	middle := image.Pt((box.Min.X+box.Max.X)/2, (box.Min.Y+box.Max.Y)/2)
	return middle.In(bare.Rect) && labOf(g.Color).distance(colorAt(bare.Pix[bare.PixOffset(middle.X, middle.Y):])) < leastDifference
}

// A part is a part of the page to be painted, in pixels per point.
type part struct {
	box   document.Box
	scale float64
}

// size is that of its pictures.
func (p *part) size() image.Rectangle {
	return image.Rect(0, 0, int(math.Ceil(p.box.Width()*p.scale)), int(math.Ceil(p.box.Height()*p.scale)))
}

// parts puts runs that stand together into one part of the page. in gives the part of each, -1 for runs that are not on
// the page.
func (j *judge) parts(asked []*run, em float64) (parts []part, in []int) {
	const margin = 2.0 // points: the edges of letters are soft
	page := document.Box{Right: j.content.Width, Bottom: j.content.Height}
	size := func(b document.Box) float64 { return b.Width() * b.Height() }
	in = make([]int, len(asked))
	for i, r := range asked {
		b := r.box
		b = document.Box{Left: b.Left - margin, Top: b.Top - margin, Right: b.Right + margin, Bottom: b.Bottom + margin}.Intersect(page)
		if !(b.Width() > 0 && b.Height() > 0) { // also what is no number
			in[i] = -1
			continue
		}
		best, least := -1, math.Inf(1)
		for k := range parts {
			// What painting them together takes more than one by one.
			if extra := size(parts[k].box.Union(b)) - size(parts[k].box) - size(b); extra < least {
				best, least = k, extra
			}
		}
		const near = 0.2 // of their own size may be added by what lies between them
		if best < 0 || least > near*(size(parts[best].box)+size(b)) && len(parts) < mostParts {
			best = len(parts)
			parts = append(parts, part{box: b})
		}
		p := &parts[best]
		p.box = p.box.Union(b)
		p.scale = max(p.scale, min(max(em/max(r.size, 1), leastScale), mostScale))
		in[i] = best
	}
	total := 0.0
	for _, p := range parts {
		total += size(p.box) * p.scale * p.scale
	}
	less := min(math.Sqrt(mostPixels/max(total, 1)), 1)
	for i := range parts {
		p := &parts[i]
		p.scale = min(p.scale*less, mostSide/max(p.box.Width(), p.box.Height()))
	}
	return parts, in
}

// pixels is where a box of the page lies in the picture of a part.
func (p *part) pixels(b document.Box) image.Rectangle {
	at := func(v, from float64) float64 { return min(max((v-from)*p.scale, -1e6), 1e6) }
	return image.Rect(
		int(math.Floor(at(b.Left, p.box.Left))), int(math.Floor(at(b.Top, p.box.Top))),
		int(math.Ceil(at(b.Right, p.box.Left))), int(math.Ceil(at(b.Bottom, p.box.Top))))
}

// differs reports whether two pictures differ visibly within a rectangle. Where text is a clip, which both pictures have,
// what it shows is a difference within one of them.
func differs(whole, bare *image.RGBA, in image.Rectangle, clip bool) bool {
	if in = in.Intersect(whole.Rect); in.Empty() {
		return true // nothing is known
	}
	first := whole.Pix[whole.PixOffset(in.Min.X, in.Min.Y):]
	most, at, other := 0, []uint8(nil), []uint8(nil)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		a := whole.Pix[whole.PixOffset(in.Min.X, y):whole.PixOffset(in.Max.X, y)]
		b := bare.Pix[bare.PixOffset(in.Min.X, y):bare.PixOffset(in.Max.X, y)]
		for x := 0; x+4 <= len(a); x += 4 {
			p, q := a[x:x+4], b[x:x+4]
			if clip {
				q = first
			}
			if d := apart(p[0], q[0]) + apart(p[1], q[1]) + apart(p[2], q[2]); d > most {
				most, at, other = d, p, q
			}
		}
	}
	return most > 0 && colorAt(at).distance(colorAt(other)) >= leastDifference
}

// stands reports whether a colour stands out somewhere in a rectangle, so that what has it is seen.
func stands(ground *image.RGBA, in image.Rectangle, rgba uint32) bool {
	in = in.Intersect(ground.Rect)
	color, last := labOf(rgba), uint32(0)
	for y := in.Min.Y; y < in.Max.Y; y++ {
		for x := in.Min.X; x < in.Max.X; x++ {
			p := ground.Pix[ground.PixOffset(x, y):]
			at := uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | 0xFF
			if at != last && color.distance(labOf(at)) >= doubtful {
				return true
			}
			last = at
		}
	}
	return false
}

func apart(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

// colorAt is the colour of a pixel.
func colorAt(p []uint8) lab {
	return labOf(uint32(p[0])<<24 | uint32(p[1])<<16 | uint32(p[2])<<8 | 0xFF)
}
