package engine

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium"
)

// How many pixels a picture gets.
const (
	// longestSide bounds width and height. Vision models scale down what is larger than 1,568 to 2,048 pixels, and a
	// full page has print of 8 points at it that can be read.
	longestSide = 2048
	// drawnDensity in pixels a point is for what has no pixels of its own, drawings and text: 200 an inch, at which
	// labels of 6 points are 17 pixels high.
	drawnDensity = 200.0 / 72
	// leastDensity in pixels a point is the least that photographs have. Images with less, 36 an inch, are colours and
	// gradients, or lie behind a mask that has more: they are drawn.
	leastDensity = 0.5
	// leastRaster is the share of a figure that its images cover at least when it is nothing but these.
	leastRaster = 0.95
	// unsquare is how much the densities of an image may differ, of the greater one, for its pixels to count as square.
	// Others, as of a fax, come out square.
	unsquare = 0.02
)

// A subject is what a picture shows.
type subject struct {
	box  document.Box
	main *pdfium.Raster // the image with the largest part in it, nil for drawings
	pure bool           // it is nothing but images
	lone bool           // nothing but main, all of it
}

// subjectOf finds out what figure e in box consists of. Text that was read from its images is a part of these.
func subjectOf(e *document.Element, box document.Box, view *pdfium.View) subject {
	s := subject{box: box}
	rasters := view.Rasters()
	covered, largest, parts := 0.0, 0.0, 0
	for i := range rasters {
		b := rasters[i].Box.Intersect(box)
		area := b.Width() * b.Height()
		if area < 1 && area < box.Width()*box.Height()/2 { // square point: it only touches
			continue
		}
		parts++
		covered += area
		if area > largest {
			s.main, largest = &rasters[i], area
		}
	}
	s.pure = s.main != nil && covered >= leastRaster*box.Width()*box.Height() && (len(e.Children) == 0 || !view.HasText(box))
	s.lone = s.pure && parts == 1 && sameBox(s.main.Box, box)
	if s.pure {
		s.box = toPixels(box, s.main)
	}
	return s
}

// toPixels moves the edges of box to those of the pixels of an image: what is cut off is cut between two pixels.
func toPixels(box document.Box, r *pdfium.Raster) document.Box {
	if min(r.DensityX, r.DensityY) < leastDensity {
		return box
	}
	x := func(v float64) float64 { return r.Box.Left + math.Round((v-r.Box.Left)*r.DensityX)/r.DensityX }
	y := func(v float64) float64 { return r.Box.Top + math.Round((v-r.Box.Top)*r.DensityY)/r.DensityY }
	snapped := document.Box{Left: x(box.Left), Top: y(box.Top), Right: x(box.Right), Bottom: y(box.Bottom)}
	if snapped.Empty() {
		return box
	}
	return snapped
}

// size is the size of the picture in pixels: for images their own pixels, for everything else enough to read the
// labels. original is the image that is all of the picture, nil when there is none.
func (s *subject) size() (size image.Point, original *pdfium.Raster) {
	x, y := drawnDensity, drawnDensity
	if s.main != nil && max(s.main.DensityX, s.main.DensityY) >= leastDensity {
		x, y = s.main.DensityX, s.main.DensityY
		switch {
		case !s.pure:
			x = max(x, y, drawnDensity)
			y = x
		case math.Abs(x-y) > unsquare*max(x, y):
			x = max(x, y)
			y = x
		case s.lone:
			original = s.main
		}
	}
	w, h := s.box.Width()*x, s.box.Height()*y
	if over := max(w, h) / longestSide; over > 1 {
		w, h, original = w/over, h/over, nil
	}
	return image.Pt(max(int(math.Round(w)), 1), max(int(math.Round(h)), 1)), original
}

// withLabels is box with what it would cut: the texts of the page that are a third or more inside, and the ends of
// lines and letters.
func withLabels(box document.Box, p *document.Page) document.Box {
	const (
		inside = 1.0 / 3 // of a line's area
		margin = 2.0     // points: half the width of lines, and what letters go below their line
	)
	out := box
	eachLine(p.Elements, func(line document.Box) {
		b := line.Intersect(box)
		if area := b.Width() * b.Height(); area > 0 && area >= inside*line.Width()*line.Height() {
			out = out.Union(line)
		}
	})
	out = document.Box{Left: out.Left - margin, Top: out.Top - margin, Right: out.Right + margin, Bottom: out.Bottom + margin}
	return out.Intersect(document.Box{Right: p.Width, Bottom: p.Height})
}

// sameBox reports whether two boxes agree to half a point.
func sameBox(a, b document.Box) bool {
	const most = 0.5
	return max(math.Abs(a.Left-b.Left), math.Abs(a.Top-b.Top), math.Abs(a.Right-b.Right), math.Abs(a.Bottom-b.Bottom)) <= most
}

// shows reports whether there is anything to be seen in box, of which img is the picture: not where it is of one colour
// and its surroundings are of the same. Hidden layers, covered images and white ones leave nothing else.
func shows(view *pdfium.View, box document.Box, img *image.RGBA) (bool, error) {
	if !plain(img, img.Pix[:4]) {
		return true, nil
	}
	const (
		around = 2.0 // points
		side   = 64  // pixels: enough to tell
	)
	wider := document.Box{Left: box.Left - around, Top: box.Top - around, Right: box.Right + around, Bottom: box.Bottom + around}
	small := image.NewRGBA(image.Rect(0, 0, side, side))
	if err := view.Render(wider, small); err != nil {
		return false, err
	}
	return !plain(small, img.Pix[:4]), nil
}

// plain reports whether all of img is of one colour.
func plain(img *image.RGBA, c []byte) bool {
	for i := 0; i < len(img.Pix); i += 4 {
		if !bytes.Equal(img.Pix[i:i+4], c) {
			return false
		}
	}
	return true
}

// jpegQuality keeps the edges of letters clean: at 75, the default, those of labels blur.
const jpegQuality = 90

// encode writes img into a.encoded.
func (a *album) encode(img *image.RGBA) error {
	compact := reduce(img)
	if !a.jpeg {
		return png.Encode(&a.encoded, compact)
	}
	if gray, ok := compact.(*image.Gray); ok {
		return jpeg.Encode(&a.encoded, gray, &jpeg.Options{Quality: jpegQuality})
	}
	return jpeg.Encode(&a.encoded, img, &jpeg.Options{Quality: jpegQuality})
}

// reduce gives img, which is opaque, in as few bytes a pixel as it needs: gray, with a palette of up to 256 colours, or
// as it is.
func reduce(img *image.RGBA) image.Image {
	var (
		palette = make(map[uint32]uint8)
		colors  color.Palette
		gray    = true
		few     = true
		last    uint32
	)
	for i := 0; i < len(img.Pix) && (gray || few); i += 4 {
		c := binary.LittleEndian.Uint32(img.Pix[i:])
		if i > 0 && c == last {
			continue
		}
		last = c
		r, g, b := img.Pix[i], img.Pix[i+1], img.Pix[i+2]
		gray = gray && r == g && g == b
		if _, ok := palette[c]; few && !ok {
			if few = len(colors) < 256; few {
				palette[c] = uint8(len(colors))
				colors = append(colors, color.RGBA{r, g, b, 0xFF})
			}
		}
	}
	switch {
	case gray:
		out := image.NewGray(img.Rect)
		for i := range out.Pix {
			out.Pix[i] = img.Pix[4*i]
		}
		return out
	case few:
		out := image.NewPaletted(img.Rect, colors)
		for i := range out.Pix {
			out.Pix[i] = palette[binary.LittleEndian.Uint32(img.Pix[4*i:])]
		}
		return out
	}
	return img
}
