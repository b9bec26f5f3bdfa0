package pdfium

import (
	"image"
	"math"

	"github.com/ragify/ragify/internal/fault"
)

// maxPixels bounds a rendered page: 100 million pixels, 400 MB.
const maxPixels = 100_000_000

// PDFium's rendering constants.
const (
	bitmapBGRA       = 4
	renderAnnots     = 0x01
	renderRGBAOrder  = 0x10
	opaqueWhite      = 0xFFFFFFFF
	pointsPerInch    = 72
	rotationAsInFile = 0
)

// Render paints page n (1-based) with its annotations on white, at dpi pixels per inch.
// Faults: Invalid with code damaged_page, or too_complex when the picture would be too large or the
// instance broke.
func (f *File) Render(n int, dpi float64) (img *image.RGBA, err error) {
	defer fault.Op(&err, "pdfium.Render(%d, %g dpi)", n, dpi)
	page, err := f.loadPage(n)
	if err != nil {
		return nil, err
	}
	i := f.inst
	defer i.call(fnClosePage, page)
	g := i.readGeometry(page)
	w, h := math.Ceil(g.width*dpi/pointsPerInch), math.Ceil(g.height*dpi/pointsPerInch)
	if !(w >= 1 && h >= 1 && w*h <= maxPixels) {
		return nil, fault.Newf(fault.Invalid, "too_complex", "Page %d is too large to be rendered.", n)
	}
	width, height := int(w), int(h)
	bitmap := i.ptr(fnBitmapCreateEx, uint64(width), uint64(height), bitmapBGRA, 0, 0)
	if bitmap == 0 {
		if i.err == nil {
			i.err = errOutOfMemory
		}
		return nil, f.crashed()
	}
	defer i.call(fnBitmapDestroy, bitmap)
	i.call(fnBitmapFillRect, bitmap, 0, 0, uint64(width), uint64(height), opaqueWhite)
	i.call(fnRenderPageBitmap, bitmap, page, 0, 0, uint64(width), uint64(height), rotationAsInFile, renderAnnots|renderRGBAOrder)
	stride := i.num(fnBitmapGetStride, bitmap)
	buffer := uint32(i.ptr(fnBitmapGetBuffer, bitmap))
	if err := f.crashed(); err != nil {
		return nil, err
	}
	img = image.NewRGBA(image.Rect(0, 0, width, height))
	pixels := i.read(buffer, stride*height)
	for y := range height {
		copy(img.Pix[y*img.Stride:][:width*4], pixels[y*stride:])
	}
	return img, f.crashed()
}
