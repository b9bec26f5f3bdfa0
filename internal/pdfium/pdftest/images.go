package pdftest

import "fmt"

// Raster is an image XObject: PDF 32000-1 section 8.9.5. Data is as its filter wants it.
type Raster struct {
	Width, Height int
	Entries       string // its dictionary without type, size and mask: "/ColorSpace /DeviceRGB /BitsPerComponent 8"
	Data          string
	SoftMask      *Raster // nil for none
}

// RGB is an uncompressed image of the given colours, 0xRRGGBB each.
func RGB(width, height int, color func(x, y int) uint32) Raster {
	data := make([]byte, 0, 3*width*height)
	for y := range height {
		for x := range width {
			c := color(x, y)
			data = append(data, byte(c>>16), byte(c>>8), byte(c))
		}
	}
	return Raster{Width: width, Height: height, Entries: "/ColorSpace /DeviceRGB /BitsPerComponent 8", Data: string(data)}
}

// Gray is RGB for gray levels; also what a soft mask is.
func Gray(width, height int, level func(x, y int) uint8) Raster {
	data := make([]byte, 0, width*height)
	for y := range height {
		for x := range width {
			data = append(data, level(x, y))
		}
	}
	return Raster{Width: width, Height: height, Entries: "/ColorSpace /DeviceGray /BitsPerComponent 8", Data: string(data)}
}

func (r *Raster) dict() string {
	return fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d %s", r.Width, r.Height, r.Entries)
}

// Paint paints an image over the unit square under matrix m.
func (p *Page) Paint(m [6]float64, r Raster) {
	dict := r.dict()
	if r.SoftMask != nil {
		p.streams = append(p.streams, attachment{dict: r.SoftMask.dict(), data: r.SoftMask.Data})
		dict += " /SMask %d 0 R"
	}
	name := fmt.Sprintf("/X%d", len(p.streams))
	p.Raw(fmt.Sprintf("q %s cm %s Do Q", numbers(m[:]...), name))
	p.streams = append(p.streams, attachment{dict: dict, data: r.Data, category: "XObject", entry: name + " %d 0 R"})
}
