package pdfium

import (
	"errors"

	"github.com/ragify/ragify/internal/document"
)

// The characters of a text page in the module's memory: PDFium's CPDF_TextPage has a vector of them, whose first and
// last address stand at these offsets. Asking for them one by one takes eight calls each, which was a sixth of the
// time per page. TestCharMemory checks all of this against PDFium's accessors.
const (
	charsBegin = 16
	charsEnd   = 20
)

// A character as CPDF_TextPage::CharInfo lies there: what kind it is, its code in the font and its Unicode, then 32-bit
// floats: origin, ink box, loose box (left, bottom, right, top) and matrix; the address of its text object.
const (
	charSize    = 80
	charUnicode = 4
	charCode    = 8
	charOrigin  = 12
	charBox     = 20
	charLoose   = 36
	charMatrix  = 52
	charObject  = 76
)

// PDFium's kinds of characters that are told apart.
const (
	charGenerated = 1 // a space or line end that PDFium makes up
	charUnmapped  = 2 // without a mapping to Unicode
	charHyphen    = 3 // a hyphen at the end of a line
)

// charList is a copy of some characters of a text page, charSize bytes each.
type charList []byte

// char is one of them.
type char []byte

// errCharLayout means that PDFium was built in another way than this package expects.
var errCharLayout = errors.New("pdfium: the characters of a page do not lie where they should")

// readChars gives the first count characters of a text page, valid until it is called again.
func (i *instance) readChars(text uint64, count int) charList {
	if count <= 0 {
		return nil
	}
	head := i.read(uint32(text), charsEnd+4)
	begin, end := u32(head[charsBegin:]), u32(head[charsEnd:])
	if end < begin || uint64(end-begin) < uint64(count)*charSize || (end-begin)%charSize != 0 {
		if i.err == nil {
			i.err = errCharLayout
		}
		return nil
	}
	i.chars = append(i.chars[:0], i.read(begin, count*charSize)...)
	return i.chars
}

func (l charList) at(k int) char { return char(l[k*charSize : (k+1)*charSize]) }

func (c char) kind() uint8 { return c[0] }

func (c char) unicode() uint32 { return u32(c[charUnicode:]) }

func (c char) code() uint32 { return u32(c[charCode:]) }

func (c char) object() uint32 { return u32(c[charObject:]) }

func (c char) matrix() matrix { return readMatrix(c[charMatrix:]) }

func (c char) f32(at int) float64 { return f32(c[at:]) }

// box is the box at an offset, in page coordinates.
func (c char) box(at int, g geometry) document.Box {
	return g.toPage.box(c.f32(at), c.f32(at+4), c.f32(at+8), c.f32(at+12))
}
