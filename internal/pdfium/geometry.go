package pdfium

import (
	"math"

	"github.com/ragify/ragify/internal/document"
)

// matrix is an affine map in PDF order: x' = a·x + c·y + e, y' = b·x + d·y + f.
type matrix struct{ a, b, c, d, e, f float64 }

var identity = matrix{a: 1, d: 1}

// then is the map that applies m first and n to its result.
func (m matrix) then(n matrix) matrix {
	return matrix{
		a: m.a*n.a + m.b*n.c, b: m.a*n.b + m.b*n.d,
		c: m.c*n.a + m.d*n.c, d: m.c*n.b + m.d*n.d,
		e: m.e*n.a + m.f*n.c + n.e, f: m.e*n.b + m.f*n.d + n.f,
	}
}

func (m matrix) point(x, y float64) (float64, float64) {
	return m.a*x + m.c*y + m.e, m.b*x + m.d*y + m.f
}

// vector maps a direction: point without the translation.
func (m matrix) vector(x, y float64) (float64, float64) {
	return m.a*x + m.c*y, m.b*x + m.d*y
}

// scale is the factor by which m enlarges lengths, averaged over the directions.
func (m matrix) scale() float64 { return math.Sqrt(math.Abs(m.a*m.d - m.b*m.c)) }

// box is the smallest axis-parallel box around the image of a rectangle given by two opposite corners.
func (m matrix) box(x0, y0, x1, y1 float64) document.Box {
	if m.b == 0 && m.c == 0 || m.a == 0 && m.d == 0 { // it stays a rectangle: all pages do
		ax, ay := m.point(x0, y0)
		bx, by := m.point(x1, y1)
		return document.Box{Left: min(ax, bx), Top: min(ay, by), Right: max(ax, bx), Bottom: max(ay, by)}
	}
	var b bounds
	for _, p := range [4][2]float64{{x0, y0}, {x1, y0}, {x0, y1}, {x1, y1}} {
		b.add(m.point(p[0], p[1]))
	}
	return b.box()
}

// bounds grows around points.
type bounds struct {
	b   document.Box
	set bool
}

func (b *bounds) add(x, y float64) {
	if !b.set {
		b.b, b.set = document.Box{Left: x, Top: y, Right: x, Bottom: y}, true
		return
	}
	b.b.Left, b.b.Right = min(b.b.Left, x), max(b.b.Right, x)
	b.b.Top, b.b.Bottom = min(b.b.Top, y), max(b.b.Bottom, y)
}

func (b *bounds) box() document.Box { return b.b }

// geometry is how a page lies: the visible part of user space, and the way to page coordinates.
type geometry struct {
	width, height float64 // points, after rotation
	toPage        matrix  // user space -> origin top left, y down, /Rotate applied
}

// newGeometry makes the geometry of a page whose visible box is given in user space and which is shown
// rotated clockwise by quarter turns.
func newGeometry(left, bottom, right, top float64, quarterTurns int) geometry {
	w, h := right-left, top-bottom
	switch quarterTurns & 3 {
	case 1:
		return geometry{h, w, matrix{b: 1, c: 1, e: -bottom, f: -left}}
	case 2:
		return geometry{w, h, matrix{a: -1, d: 1, e: right, f: -bottom}}
	case 3:
		return geometry{h, w, matrix{b: -1, c: -1, e: top, f: right}}
	default:
		return geometry{w, h, matrix{a: 1, d: -1, e: -left, f: top}}
	}
}

// readGeometry asks PDFium for the geometry of a loaded page.
func (i *instance) readGeometry(page uint64) geometry {
	var g geometry
	if i.ok(fnGetPageBoundingBox, page, i.at(0)) {
		b := i.out(0, 16) // FS_RECTF: left, top, right, bottom
		l, t, r, bottom := f32(b), f32(b[4:]), f32(b[8:]), f32(b[12:])
		g = newGeometry(l, bottom, r, t, i.num(fnPageGetRotation, page))
	}
	return g
}

// readMatrix decodes an FS_MATRIX: six floats.
func readMatrix(b []byte) matrix {
	return matrix{f32(b), f32(b[4:]), f32(b[8:]), f32(b[12:]), f32(b[16:]), f32(b[20:])}
}
