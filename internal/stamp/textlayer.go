package stamp

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf16"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// textFont is the name of the font of recognised text among a page's resources.
const textFont = "RagifyRecognised"

// halfEm is the width of every character of that font, in ems. Words are stretched to the width that they have on the
// page.
const halfEm = 0.5

// addText adds the words that were read from a page's picture to its content, as text that is not painted (ISO 32000-1,
// 9.3.6), each with the mark of its element. items are those of the content, which may leave states saved.
func (p *pageTagger) addText(content []byte, items []item) []byte {
	var out bytes.Buffer
	out.WriteString("q\n")
	out.Write(content)
	depth := 0
	for i := range items {
		switch items[i].kind {
		case saveState:
			depth++
		case restore:
			depth = max(depth-1, 0)
		}
	}
	out.WriteString(strings.Repeat("\nQ", depth+1))
	out.WriteString("\nq BT 3 Tr\n")
	list := p.claims.recognised
	for i := 0; i < len(list); {
		s := list[i].slot
		fmt.Fprintf(&out, "/%s<</MCID %d>>BDC\n", s.owner.mark(), len(p.owners))
		s.marks = append(s.marks, markedContent{order: list[i].order, id: int32(len(p.owners))})
		p.owners = append(p.owners, s.owner)
		for first := i; i < len(list) && list[i].slot == s && list[i].order == list[first].order+int32(i-first); i++ {
			p.writeWords(&out, p.claims.text.Recognised[list[i].from:list[i].to])
		}
		out.WriteString("EMC\n")
	}
	out.WriteString("ET Q\n")
	return out.Bytes()
}

// writeWords shows letters, a word at a time. Words end where the next letter is elsewhere than after the one before.
func (p *pageTagger) writeWords(out *bytes.Buffer, letters []Letter) {
	const gap = 0.1 // ems between the letters of a word
	for start := 0; start < len(letters); {
		first := &letters[start]
		sin, cos := math.Sincos(first.Angle * math.Pi / 180)
		end, width, text := start, 0.0, ""
		for ; end < len(letters); end++ {
			l := &letters[end]
			along := (l.X-first.X)*cos + (l.Y-first.Y)*sin
			across := (l.Y-first.Y)*cos - (l.X-first.X)*sin
			if end > start && (math.Abs(along-width) > gap*first.Size || math.Abs(across) > gap*first.Size || l.Angle != first.Angle) {
				break
			}
			width, text = along+l.Width, text+l.Text
		}
		start = end
		p.writeWord(out, first, text, width)
	}
}

// writeWord shows a word, and a space after it, from where its first letter is.
func (p *pageTagger) writeWord(out *bytes.Buffer, at *Letter, text string, width float64) {
	units := utf16.Encode([]rune(text))
	sin, cos := math.Sincos(at.Angle * math.Pi / 180)
	from := p.page.ToUser(document.Box{Left: at.X, Top: at.Y, Right: at.X, Bottom: at.Y})
	to := p.page.ToUser(document.Box{Left: at.X + cos, Top: at.Y + sin, Right: at.X + cos, Bottom: at.Y + sin})
	dx, dy := to[0]-from[0], to[1]-from[1]
	size := math.Max(at.Size, 1)
	stretch := 100 * width / (halfEm * size * float64(max(len(units), 1)))
	if !(stretch > 0 && stretch < 1e4) {
		stretch = 100
	}
	fmt.Fprintf(out, "/%s %.2f Tf %.1f Tz %.4f %.4f %.4f %.4f %.2f %.2f Tm <", textFont, size, stretch, dx, dy, -dy, dx, from[0], from[1])
	for _, u := range append(units, ' ') {
		fmt.Fprintf(out, "%04x", u)
	}
	out.WriteString("> Tj\n")
}

// textFont gives the font of recognised text. Its codes are UTF-16, it has no glyphs, and nobody sees any: text in it is
// only found, read aloud and copied.
func (t *tagger) textFont() types.IndirectRef {
	if t.font != nil {
		return *t.font
	}
	w := t.writer
	descriptor := w.Add(types.Dict{
		"Type": types.Name("FontDescriptor"), "FontName": types.Name(textFont), "Flags": types.Integer(5), // fixed pitch, symbolic
		"FontBBox": types.Array{types.Integer(0), types.Integer(-220), types.Integer(500), types.Integer(930)},
		"Ascent":   types.Integer(930), "Descent": types.Integer(-220), "CapHeight": types.Integer(700), "ItalicAngle": types.Integer(0), "StemV": types.Integer(80),
	})
	system := types.Dict{"Registry": types.StringLiteral("Adobe"), "Ordering": types.StringLiteral("Identity"), "Supplement": types.Integer(0)}
	descendant := w.Add(types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("CIDFontType2"), "BaseFont": types.Name(textFont), "CIDSystemInfo": system,
		"FontDescriptor": descriptor, "DW": types.Integer(1000 * halfEm), "CIDToGIDMap": types.Name("Identity"),
	})
	ref := w.Add(types.Dict{
		"Type": types.Name("Font"), "Subtype": types.Name("Type0"), "BaseFont": types.Name(textFont), "Encoding": types.Name("Identity-H"),
		"DescendantFonts": types.Array{descendant}, "ToUnicode": w.AddStream(nil, []byte(identityMap())),
	})
	t.font = &ref
	return ref
}

// identityMap is a ToUnicode CMap (ISO 32000-1, 9.10.3) for codes that are UTF-16 themselves. A range may not leave its
// first byte, and a block has at most a hundred.
func identityMap() string {
	var b strings.Builder
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n" +
		"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	const block, all = 64, 256
	for first := 0; first < all; first += block {
		fmt.Fprintf(&b, "%d beginbfrange\n", block)
		for k := first; k < first+block; k++ {
			fmt.Fprintf(&b, "<%02X00> <%02XFF> <%02X00>\n", k, k, k)
		}
		b.WriteString("endbfrange\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.String()
}
