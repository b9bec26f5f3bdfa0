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
	bitmap, err := f.newBitmap(width, height)
	if err != nil {
		return nil, err
	}
	defer i.call(fnBitmapDestroy, bitmap)
	i.call(fnRenderPageBitmap, bitmap, page, 0, 0, uint64(width), uint64(height), rotationAsInFile, renderAnnots|renderRGBAOrder)
	img = image.NewRGBA(image.Rect(0, 0, width, height))
	return img, f.readBitmap(bitmap, img)
}

// newBitmap makes a white bitmap; destroy it with fnBitmapDestroy.
func (f *File) newBitmap(width, height int) (uint64, error) {
	i := f.inst
	bitmap := i.ptr(fnBitmapCreateEx, uint64(width), uint64(height), bitmapBGRA, 0, 0)
	if bitmap == 0 {
		if i.err == nil {
			i.err = errOutOfMemory
		}
		return 0, f.crashed()
	}
	i.call(fnBitmapFillRect, bitmap, 0, 0, uint64(width), uint64(height), opaqueWhite)
	return bitmap, nil
}

// readBitmap copies a bitmap that was painted in the order RGBA into img, which has its size.
func (f *File) readBitmap(bitmap uint64, img *image.RGBA) error {
	size := img.Bounds().Size()
	pixels, stride, err := f.pixels(bitmap, size.Y)
	if err != nil {
		return err
	}
	for y := range size.Y {
		copy(img.Pix[y*img.Stride:][:size.X*4], pixels[y*stride:])
	}
	return f.crashed()
}

// pixels gives the memory of a bitmap, rows of stride bytes, valid until the next call.
func (f *File) pixels(bitmap uint64, height int) (pixels []byte, stride int, err error) {
	i := f.inst
	stride = i.num(fnBitmapGetStride, bitmap)
	buffer := uint32(i.ptr(fnBitmapGetBuffer, bitmap))
	if err := f.crashed(); err != nil {
		return nil, 0, err
	}
	return i.read(buffer, stride*height), stride, nil
}
