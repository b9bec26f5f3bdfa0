package pdfium

import (
	"regexp"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

// fontEntry pairs PDFium's font with its index in Content.Fonts.
type fontEntry struct {
	handle uint64
	index  int32
}

// fontFacts is all that describeFont goes by: the same fonts come again on every page.
type fontFacts struct {
	name          string
	flags, weight int
	angle         float64
}

// Font descriptor flags, PDF 32000-1 table 123.
const (
	flagFixed     = 1 << 0
	flagSerif     = 1 << 1
	flagSymbolic  = 1 << 2
	flagItalic    = 1 << 6
	flagForceBold = 1 << 18
)

// font gives the index in into.Fonts of a font, reading it the first time. Handles are valid only while
// the page is open, so the cache is per page.
func (f *File) font(handle uint64, into *document.Content) int32 {
	for _, e := range f.fonts {
		if e.handle == handle {
			return e.index
		}
	}
	i := f.inst
	var angle float64
	if i.ok(fnFontGetItalicAngle, handle, i.at(0)) {
		angle = float64(int32(u32(i.out(0, 4))))
	}
	k := fontFacts{i.text8(fnFontGetBaseFontName, handle), i.num(fnFontGetFlags, handle), i.num(fnFontGetWeight, handle), angle}
	font, ok := f.described[k]
	if !ok {
		font = describeFont(k.name, k.flags, k.weight, k.angle)
		f.described[k] = font
	}
	font.Embedded = i.ok(fnFontGetIsEmbedded, handle)
	e := fontEntry{handle, int32(len(into.Fonts))}
	into.Fonts = append(into.Fonts, font)
	f.fonts = append(f.fonts, e)
	return e.index
}

var (
	subsetPrefix = regexp.MustCompile(`^[A-Z]{6}\+`)
	// The words by which foundries and TeX name their bold, light and slanted cuts.
	boldName   = regexp.MustCompile(`(?i:bold|black|heavy|fett|gras|negrit|-demi|-medi$|semibd|-bd\b|-sb\b)|^(CMB|CMBX|CMSSBX|SFBX|SFSX|LMB|ECBX|ECSX|PLBX)|(Bd|BdIt|Blk)$|[-,]B$|F[0-9]+Bold`)
	plainName  = regexp.MustCompile(`(?i:regular|roman|book|light|thin|medium|normal|-reg\b)`)
	italicName = regexp.MustCompile(`(?i:italic|oblique|slanted|kursiv|-ital|-obli)|^(CMTI|CMSL|CMBXTI|CMBXSL|CMSSI|SFTI|SFSL|ECTI|ECSL|PLTI|PLSL|LMRI)|(It|Ital|Obli|-I|-BI)$`)
	// The fonts of TeX for symbols and variables, and those that others use for formulas.
	mathName = regexp.MustCompile(`(?i)math|^(cm|lm)(mi|sy|ex|bsy|mib)\d*|^(msam|msbm|eufm|eufb|euex|eusm|lasy|stmary|wasy|rsfs|mtsy|mtmi|mtex|[tp]x(sy|mi|ex)|esint|ntx(mi|sy|ex)|rtxmi|bbm|dsrom)|^(symbol(mt|ps)?|mt-?extra|stixnonuni|stixsize)`)
	// Fonts of one width whose makers often leave the flag out, TeX above all.
	fixedName = regexp.MustCompile(`(?i:mono|courier|consol|typewriter|menlo|andale|code(pro|sans)?(-|$)|nimbusmon|terminal)|^(CMTT|CMSLTT|CMITT|SFTT|ECTT|LMTT|LMMono|PLTT|txtt)`)
	// Names that begin like theirs, of others.
	proportionalName = regexp.MustCompile(`(?i:monotype|monoprop|monoline|monotone)`)
)

// describeFont decides what a font looks like. weight is PDFium's guess from the stem width, 0 or less
// when unknown; the name knows better where it says anything.
func describeFont(name string, flags, weight int, angle float64) document.Font {
	name = subsetPrefix.ReplaceAllString(strings.TrimSpace(name), "")
	d := document.Font{
		Name: name, Weight: weight, Angle: angle,
		Fixed:  flags > 0 && flags&flagFixed != 0 || fixedName.MatchString(proportionalName.ReplaceAllString(name, "")),
		Serif:  flags > 0 && flags&flagSerif != 0,
		Symbol: flags > 0 && flags&flagSymbolic != 0,
		Math:   mathName.MatchString(name),
	}
	switch {
	case boldName.MatchString(name):
		d.Bold = true
	case plainName.MatchString(name):
	default:
		d.Bold = flags > 0 && flags&flagForceBold != 0 || weight >= 700 && weight <= 1000
	}
	d.Italic = angle != 0 || flags > 0 && flags&flagItalic != 0 || italicName.MatchString(name)
	switch {
	case d.Bold:
		d.Weight = max(d.Weight, 700)
	case weight <= 0:
		d.Weight = 400
	}
	d.Weight = min(max(d.Weight, 100), 900)
	return d
}
