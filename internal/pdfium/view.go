package pdfium

import (
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
)

// View is a page held open for pictures of parts of it. It shows what a reader sees, annotations included, on white:
// masks, colour spaces, layers, clips and what is drawn over an image are those of the page. Nothing else may be
// asked of its File before it is closed.
type View struct {
	file     *File
	page     uint64
	geometry geometry
	rasters  []Raster
	texts    []document.Box // around text objects that are not invisible
}

// Raster is a raster image painted on a page.
type Raster struct {
	Box document.Box // around it, also where it is clipped
	// DensityX and DensityY are its pixels a point along the axes of the page; the greater of both for an image that
	// is neither upright nor turned by a quarter.
	DensityX, DensityY float64

	object uint64
}

// View opens page n (1-based). Close it.
// Faults: Invalid with code damaged_page, or too_complex when the instance broke.
func (f *File) View(n int) (v *View, err error) {
	defer fault.Op(&err, "pdfium.View(%d)", n)
	if err := f.crashed(); err != nil {
		return nil, err
	}
	if err := f.refresh(); err != nil {
		return nil, err
	}
	page, err := f.loadPage(n)
	if err != nil {
		return nil, err
	}
	if page, err = f.flatten(n, page, f.inst.readGeometry(page), &document.Content{}); err != nil {
		return nil, err
	}
	v = &View{file: f, page: page, geometry: f.inst.readGeometry(page)}
	visited := 0
	for k, count := 0, f.inst.num(fnPageCountObjects, page); k < count; k++ {
		v.find(f.inst.ptr(fnPageGetObject, page, uint64(k)), v.geometry.toPage, 0, &visited)
	}
	if err := f.crashed(); err != nil {
		return nil, err
	}
	return v, nil
}

// Close lets go of the page.
func (v *View) Close() { v.file.inst.call(fnClosePage, v.page) }

// Rasters are the images on the page in painting order, those in forms included.
func (v *View) Rasters() []Raster { return v.rasters }

// HasText reports whether text stands in box that the page shows, not counting what is in images.
func (v *View) HasText(box document.Box) bool {
	return slices.ContainsFunc(v.texts, func(t document.Box) bool {
		x, y := (t.Left+t.Right)/2, (t.Top+t.Bottom)/2
		return x > box.Left && x < box.Right && y > box.Top && y < box.Bottom
	})
}

// invisibleText is the render mode of text that is there to be searched (PDF 32000-1 table 106).
const invisibleText = 3

// text notes where a text object stands; m maps its container to page coordinates.
func (v *View) text(object uint64, m matrix) {
	i := v.file.inst
	if i.num(fnTextObjGetTextRenderMode, object) == invisibleText || !i.ok(fnPageObjGetBounds, object, i.at(0), i.at(4), i.at(8), i.at(12)) {
		return
	}
	b := i.out(0, 16) // left, bottom, right, top
	if box := m.box(f32(b), f32(b[4:]), f32(b[8:]), f32(b[12:])); finite(box) {
		v.texts = append(v.texts, box)
	}
}

// find collects the images and texts in an object; m maps the space of its container to page coordinates.
func (v *View) find(object uint64, m matrix, depth int, visited *int) {
	i := v.file.inst
	if *visited++; *visited > maxObjects || object == 0 || i.err != nil {
		return
	}
	kind := i.num(fnPageObjGetType, object)
	if kind == objectText {
		v.text(object, m)
		return
	}
	if kind != objectImage && (kind != objectForm || depth >= maxDepth) || !i.ok(fnPageObjGetMatrix, object, i.at(0)) {
		return
	}
	m = readMatrix(i.out(0, 24)).then(m)
	if kind == objectForm {
		for k, n := 0, i.num(fnFormObjCountObjects, object); k < n && *visited <= maxObjects; k++ {
			v.find(i.ptr(fnFormObjGetObject, object, uint64(k)), m, depth+1, visited)
		}
		return
	}
	if !i.ok(fnImageObjGetImagePixelSize, object, i.at(0), i.at(4)) {
		return
	}
	b := i.out(0, 8)
	r := Raster{Box: m.box(0, 0, 1, 1), object: object}
	r.DensityX, r.DensityY = m.density(float64(u32(b)), float64(u32(b[4:])))
	if finite(r.Box) && r.DensityX > 0 && r.DensityY > 0 && !math.IsInf(r.DensityX+r.DensityY, 0) {
		v.rasters = append(v.rasters, r)
	}
}

// density gives the pixels a point, along the axes of the page, of an image of width × height pixels that m puts there.
func (m matrix) density(width, height float64) (x, y float64) {
	const straight = 1e-3 // of a side: what rounding leaves of a quarter turn
	along, across := width/math.Hypot(m.a, m.b), height/math.Hypot(m.c, m.d)
	switch {
	case math.Abs(m.b) <= straight*math.Abs(m.a) && math.Abs(m.c) <= straight*math.Abs(m.d):
		return along, across
	case math.Abs(m.a) <= straight*math.Abs(m.b) && math.Abs(m.d) <= straight*math.Abs(m.c):
		return across, along
	}
	return max(along, across), max(along, across)
}

// Render paints the part of the page in box, which is not empty, into img so that it fills it. What lies off the page
// is white. An image that fills box comes out pixel by pixel where img has as many pixels as it.
// Faults: Invalid with code too_complex when img is too large or the instance broke.
func (v *View) Render(box document.Box, img *image.RGBA) (err error) {
	f := v.file
	size := img.Bounds().Size()
	defer fault.Op(&err, "pdfium.Render(%v, %d × %d pixels)", box, size.X, size.Y)
	// PDFium lays the page out over as many pixels as it has whole points before it applies a matrix.
	pageX, pageY := math.Floor(v.geometry.width), math.Floor(v.geometry.height)
	if box.Empty() || size.X < 1 || size.Y < 1 || pageX < 1 || pageY < 1 {
		return fmt.Errorf("nothing to render: %v on a page of %v × %v points", box, v.geometry.width, v.geometry.height)
	}
	if size.X*size.Y > maxPixels {
		return fault.New(fault.Invalid, "too_complex", "A part of a page is too large to be rendered.")
	}
	// PDFium paints an image over all pixels that it touches: at an edge between two pixels, rounding must not decide.
	const inset = 0.02 // pixels
	scaleX, scaleY := (float64(size.X)-2*inset)/box.Width(), (float64(size.Y)-2*inset)/box.Height()
	i := f.inst
	bitmap, err := f.newBitmap(size.X, size.Y)
	if err != nil {
		return err
	}
	defer i.call(fnBitmapDestroy, bitmap)
	const clip = 24 // after the matrix, six floats
	putFloats(i.out(0, clip), scaleX*v.geometry.width/pageX, 0, 0, scaleY*v.geometry.height/pageY, inset-box.Left*scaleX, inset-box.Top*scaleY)
	putFloats(i.out(clip, 16), 0, 0, float64(size.X), float64(size.Y))
	i.call(fnRenderPageBitmapWithMatrix, bitmap, v.page, i.at(0), i.at(clip), renderAnnots|renderRGBAOrder)
	return f.readBitmap(bitmap, img)
}

// putFloats writes an input parameter of 32-bit floats.
func putFloats(into []byte, values ...float64) {
	for k, x := range values {
		binary.LittleEndian.PutUint32(into[4*k:], math.Float32bits(float32(x)))
	}
}

// JPEG is the JPEG file that the PDF holds for an image, as it is there; nil where it holds none, or one of more than
// limit bytes. How the page shows it may differ: see Render.
func (v *View) JPEG(r Raster, limit int) []byte {
	i := v.file.inst
	if i.num(fnImageObjGetImageFilterCount, r.object) != 1 || i.text8(fnImageObjGetImageFilter, r.object, 0) != "DCTDecode" {
		return nil
	}
	size := i.num(fnImageObjGetImageDataRaw, r.object, 0, 0)
	if size <= 0 || size > limit {
		return nil
	}
	p := i.alloc(size)
	defer i.free(p)
	if p == 0 || i.num(fnImageObjGetImageDataRaw, r.object, uint64(p), uint64(size)) != size {
		return nil
	}
	return append([]byte(nil), i.read(p, size)...)
}
