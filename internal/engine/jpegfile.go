package engine

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
)

// maxOriginal bounds the JPEG files that are passed on, in bytes: of at most longestSide pixels a side, good ones have
// some 4 MB.
const maxOriginal = 8 << 20

// passOn writes the JPEG file that the PDF holds into a.encoded when the page shows it as img and as nothing else: not
// cut, turned, masked, in other colours or with something on it. To compress it anew would only make it worse.
func (a *album) passOn(file []byte, img *image.RGBA) bool {
	config, err := jpeg.DecodeConfig(bytes.NewReader(file))
	if err != nil || config.Width != img.Rect.Dx() || config.Height != img.Rect.Dy() ||
		config.ColorModel != color.YCbCrModel && config.ColorModel != color.GrayModel {
		return false
	}
	clean := strip(file)
	if clean == nil {
		return false
	}
	decoded, err := jpeg.Decode(bytes.NewReader(clean))
	if err != nil || !alike(img, decoded) {
		return false
	}
	a.encoded.Write(clean)
	return true
}

// The markers of a JPEG file (ITU-T T.81, table B.1) that are told apart.
const (
	markerRST0  = 0xD0 // restart, in the data of a scan
	markerRST7  = 0xD7
	markerSOI   = 0xD8 // start of image
	markerEOI   = 0xD9 // end of image
	markerSOS   = 0xDA // start of scan: entropy-coded data follows
	markerAPP0  = 0xE0 // JFIF
	markerAPP14 = 0xEE // Adobe: which colours the components are
	markerAPP15 = 0xEF
	markerCOM   = 0xFE // comment
)

// strip gives a JPEG file without comments and application data but for what decoders need: viewers would turn it as
// its Exif data say, which PDF readers do not, and places and names in it are nobody's business. What follows the end
// of the image is left out as well. nil when the file is not made of segments.
func strip(file []byte) []byte {
	if len(file) < 2 || file[0] != 0xFF || file[1] != markerSOI {
		return nil
	}
	out := append(make([]byte, 0, len(file)), file[:2]...)
	for at := 2; at+2 <= len(file); {
		marker := file[at+1]
		switch {
		case file[at] != 0xFF:
			return nil
		case marker == 0xFF: // a fill byte
			at++
			continue
		case marker == markerEOI:
			return append(out, file[at:at+2]...)
		case at+4 > len(file):
			return nil
		}
		end := at + 2 + int(binary.BigEndian.Uint16(file[at+2:]))
		if end < at+4 || end > len(file) {
			return nil
		}
		if marker == markerSOS {
			end = endOfScan(file, end)
		}
		metadata := marker > markerAPP0 && marker <= markerAPP15 && marker != markerAPP14 || marker == markerCOM
		if !metadata {
			out = append(out, file[at:end]...)
		}
		at = end
	}
	return nil
}

// endOfScan gives where the entropy-coded data that begin at start end: at the next marker but for those within them
// (T.81, section B.1.1.5).
func endOfScan(file []byte, start int) int {
	for at := start; at+1 < len(file); at++ {
		if next := file[at+1]; file[at] == 0xFF && next != 0 && next != 0xFF && (next < markerRST0 || next > markerRST7) {
			return at
		}
	}
	return len(file)
}

// alike reports whether two pictures of one size look the same: decoders differ by little and everywhere, what a page
// does to an image in places or by more.
func alike(img *image.RGBA, other image.Image) bool {
	const (
		block = 8 // pixels in both directions, over which differences are averaged
		most  = 8 // levels of 255 that the averages of a block may differ in each colour
	)
	size := img.Rect.Size()
	for top := 0; top < size.Y; top += block {
		for left := 0; left < size.X; left += block {
			var sum [3]int
			n := 0
			for y := top; y < min(top+block, size.Y); y++ {
				for x := left; x < min(left+block, size.X); x++ {
					p := img.Pix[y*img.Stride+4*x:]
					r, g, b := levels(other, x, y)
					sum[0] += int(p[0]) - r
					sum[1] += int(p[1]) - g
					sum[2] += int(p[2]) - b
					n++
				}
			}
			for _, s := range sum {
				if max(s, -s) > most*n {
					return false
				}
			}
		}
	}
	return true
}

// levels is a pixel of a decoded JPEG, 0 to 255 each.
func levels(img image.Image, x, y int) (r, g, b int) {
	switch img := img.(type) {
	case *image.Gray:
		v := int(img.GrayAt(x, y).Y)
		return v, v, v
	case *image.YCbCr:
		c := img.YCbCrAt(x, y)
		r, g, b := color.YCbCrToRGB(c.Y, c.Cb, c.Cr)
		return int(r), int(g), int(b)
	}
	wide, green, blue, _ := img.At(x, y).RGBA()
	return int(wide >> 8), int(green >> 8), int(blue >> 8)
}
