package pdfium

import (
	"image"
	"math"

	"github.com/ragify/ragify/internal/fault"
)

// RenderGray paints page n (1-based) as Render does, in shades of gray, with dpi pixels per inch, or less where the
// picture would have more than most pixels. It gives the pixels per inch that the picture has.
// Faults: as of Render.
func (f *File) RenderGray(n int, dpi float64, most int) (img *image.Gray, actual float64, err error) {
	defer fault.Op(&err, "pdfium.RenderGray(%d, %g dpi)", n, dpi)
	page, err := f.loadPage(n)
	if err != nil {
		return nil, 0, err
	}
	i := f.inst
	defer i.call(fnClosePage, page)
	g := i.readGeometry(page)
	if inches := g.width * g.height / (pointsPerInch * pointsPerInch); inches*dpi*dpi > float64(most) {
		dpi = math.Sqrt(float64(most) / inches)
	}
	w, h := math.Ceil(g.width*dpi/pointsPerInch), math.Ceil(g.height*dpi/pointsPerInch)
	if !(w >= 1 && h >= 1 && w*h <= maxPixels) {
		return nil, 0, fault.Newf(fault.Invalid, "too_complex", "Page %d is too large to be rendered.", n)
	}
	width, height := int(w), int(h)
	bitmap, err := f.newBitmap(width, height)
	if err != nil {
		return nil, 0, err
	}
	defer i.call(fnBitmapDestroy, bitmap)
	i.call(fnRenderPageBitmap, bitmap, page, 0, 0, uint64(width), uint64(height), rotationAsInFile, renderAnnots|renderRGBAOrder)
	pixels, stride, err := f.pixels(bitmap, height)
	if err != nil {
		return nil, 0, err
	}
	img = image.NewGray(image.Rect(0, 0, width, height))
	for y := range height {
		row := pixels[y*stride:][:4*width]
		out := img.Pix[y*img.Stride:][:width]
		for x := range out {
			// The luma of JPEG and PNG (ITU-R BT.601), in parts of 256.
			out[x] = uint8((77*uint32(row[4*x]) + 150*uint32(row[4*x+1]) + 29*uint32(row[4*x+2])) >> 8)
		}
	}
	return img, dpi, f.crashed()
}
