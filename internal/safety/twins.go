package safety

import "math"

// twin is how near, in font sizes, the same character stands that can be seen: shadows and outlines print text twice.
const twin = 0.3

// farTwin is the distance in points beyond which no type, however large, has its copy.
const farTwin = 6

// findTwins notes which marked glyphs stand at their place a second time, to be seen: they hide nothing, and nobody needs
// to hear of them.
func (f *findings) findTwins() {
	if f.reasons == nil {
		return
	}
	type spot struct {
		r    rune
		x, y int32
	}
	c := f.content
	at := func(i int) spot {
		g := &c.Glyphs[i]
		return spot{g.Rune, int32(math.Floor(bounded(g.OriginX))), int32(math.Floor(bounded(g.OriginY)))}
	}
	// Only what stands near a marked glyph is kept: most text that is left out lies beside the page or in one place.
	left, top, right, bottom := int32(math.MaxInt32), int32(math.MaxInt32), int32(math.MinInt32), int32(math.MinInt32)
	for i := range c.Glyphs {
		if f.reasons[i] != "" {
			s := at(i)
			left, top, right, bottom = min(left, s.x), min(top, s.y), max(right, s.x), max(bottom, s.y)
		}
	}
	shown := make(map[spot]bool)
	for i := range c.Glyphs {
		if f.reasons[i] != "" {
			continue
		}
		if s := at(i); s.x >= left-farTwin && s.x <= right+farTwin && s.y >= top-farTwin && s.y <= bottom+farTwin {
			shown[s] = true
		}
	}
	f.silent = make([]bool, len(c.Glyphs))
	for i := range c.Glyphs {
		if f.reasons[i] == "" {
			continue
		}
		s := at(i)
		reach := int32(min(math.Ceil(twin*max(bounded(c.Glyphs[i].Size), 1)), farTwin))
		for x := s.x - reach; x <= s.x+reach && !f.silent[i]; x++ {
			for y := s.y - reach; y <= s.y+reach; y++ {
				if shown[spot{s.r, x, y}] {
					f.silent[i] = true
					break
				}
			}
		}
	}
}
