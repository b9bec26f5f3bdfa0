package layout

import (
	"slices"

	"github.com/ragify/ragify/internal/document"
)

// strokedMode is the text render mode that fills glyphs and draws along their outlines: PDF 32000-1, table 106.
const strokedMode = 2

// boldStroked gives stroked glyphs a bold font. Where a font has no bold cut, as most East Asian ones, programs make
// letters bold by a line around them. It changes nothing on pages whose text is mostly set so: there it says nothing.
func boldStroked(glyphs []document.Glyph, fonts []document.Font) ([]document.Glyph, []document.Font) {
	stroked := 0
	for i := range glyphs {
		if glyphs[i].Mode == strokedMode {
			stroked++
		}
	}
	if stroked == 0 || 2*stroked > len(glyphs) {
		return glyphs, fonts
	}
	glyphs, fonts = slices.Clone(glyphs), slices.Clone(fonts)
	bold := make(map[int32]int32) // the bold twin of each font
	for i := range glyphs {
		g := &glyphs[i]
		if g.Mode != strokedMode || g.Font < 0 || int(g.Font) >= len(fonts) || fonts[g.Font].Bold {
			continue
		}
		twin, ok := bold[g.Font]
		if !ok {
			twin = int32(len(fonts))
			bold[g.Font] = twin
			f := fonts[g.Font]
			f.Bold, f.Weight = true, max(f.Weight, 700)
			fonts = append(fonts, f)
		}
		g.Font = twin
	}
	return glyphs, fonts
}
