package ocr

import (
	"os"
	"testing"

	"github.com/ragify/ragify/internal/ocr/ocrtest"
)

// TestMain lets the test binary be the program as well. To pictures it answers as if it saw where their text is: dark is
// what would be the first letter.
func TestMain(m *testing.M) {
	ocrtest.Main(func(width, _ int, pixels []byte) string { return seen(width, pixels) })
	os.Exit(m.Run())
}

// seen is what Tesseract would say of a picture in whose first corner, as its reader holds it, is a dark pixel: upright
// text is read well, text on its side by lines that run so, upside-down text as nonsense.
func seen(width int, pixels []byte) string {
	const dark = 128
	switch {
	case pixels[0] < dark:
		return ocrtest.HOCR(10, 10, 20, "upright letters", "are understood")
	case pixels[width-1] < dark: // runs down
		return sideways(10, 100, 200, 95)
	case pixels[len(pixels)-width] < dark: // runs up
		return sideways(10, 300, 200, 20)
	}
	return hocrWord("nonsensical", 10, 10, 110, 30, 15)
}
