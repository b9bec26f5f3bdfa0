package engine

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"

	"github.com/ragify/ragify/internal/document"
)

func TestAlbumBounds(t *testing.T) {
	small := image.Pt(10, 10)
	for name, a := range map[string]album{
		"pictures": {given: maxPictures},
		"pixels":   {pixels: maxPicturePixels - 99},
		"bytes":    {bytes: maxPictureBytes + 1},
	} {
		if a.takes(small) {
			t.Errorf("no bound of %s", name)
		}
	}
	if a := (album{given: maxPictures - 1, pixels: maxPicturePixels - 100, bytes: maxPictureBytes}); !a.takes(small) {
		t.Error("what is within the bounds is refused")
	}
	a := album{dir: t.TempDir(), known: make(map[[32]byte]*document.Picture)}
	for range 2 {
		a.encoded.Reset()
		a.encoded.WriteString("picture")
		if err := a.keep(&document.Element{ID: "p1.e1"}, small); err != nil {
			t.Fatal(err)
		}
	}
	if a.given != 2 || a.bytes != 14 || len(a.files) != 1 {
		t.Errorf("%d given, %d bytes, %d files", a.given, a.bytes, len(a.files))
	}
}

func TestReduce(t *testing.T) {
	paint := func(c func(x, y int) color.RGBA) *image.RGBA {
		img := image.NewRGBA(image.Rect(0, 0, 40, 40))
		for y := range 40 {
			for x := range 40 {
				img.SetRGBA(x, y, c(x, y))
			}
		}
		return img
	}
	for name, c := range map[string]struct {
		img  *image.RGBA
		want string
	}{
		"gray":    {paint(func(x, _ int) color.RGBA { v := uint8(6 * x); return color.RGBA{v, v, v, 255} }), "*image.Gray"},
		"few":     {paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x % 16), uint8(y % 16), 0, 255} }), "*image.Paletted"},
		"many":    {paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x), uint8(y), 0, 255} }), "*image.RGBA"},
		"one hue": {paint(func(_, _ int) color.RGBA { return color.RGBA{255, 0, 0, 255} }), "*image.Paletted"},
	} {
		t.Run(name, func(t *testing.T) {
			got := reduce(c.img)
			if kind := typeName(got); kind != c.want {
				t.Errorf("a %s, want %s", kind, c.want)
			}
			for i := range 40 * 40 {
				x, y := i%40, i/40
				if r, g, b, a := got.At(x, y).RGBA(); color.RGBAModel.Convert(color.RGBA64{uint16(r), uint16(g), uint16(b), uint16(a)}) != c.img.RGBAAt(x, y) {
					t.Fatalf("another colour at %d, %d", x, y)
				}
			}
		})
	}
}

func typeName(img image.Image) string {
	switch img.(type) {
	case *image.Gray:
		return "*image.Gray"
	case *image.Paletted:
		return "*image.Paletted"
	case *image.RGBA:
		return "*image.RGBA"
	}
	return "?"
}

// FuzzStrip takes any file for a JPEG. What is left of one that a decoder reads is read as the same picture, and has no
// metadata; stripped again it stays as it is.
func FuzzStrip(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 9, 9)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(append(append([]byte("\xFF\xD8\xFF\xE1\x00\x08Exif\x00\x00\xFF\xFE\x00\x02\xFF\xEE\x00\x0EAdobe\x00\x64\x00\x00\x00\x00\x01"), b.Bytes()[2:]...), "behind"...))
	f.Add([]byte("\xFF\xD8\xFF\xDA\x00\x02\xFF\x00\xFF\xD0\xFF\xD9"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got := strip(file)
		if got == nil {
			return
		}
		if len(got) > len(file) || !bytes.Equal(strip(got), got) {
			t.Fatalf("%x becomes %x", file, got)
		}
		if config, err := jpeg.DecodeConfig(bytes.NewReader(file)); err != nil || config.Width*config.Height > 1<<16 {
			return
		}
		before, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			return
		}
		after, err := jpeg.Decode(bytes.NewReader(got))
		if err != nil {
			t.Fatalf("%v for what is left of %x", err, file)
		}
		for y := range before.Bounds().Dy() {
			for x := range before.Bounds().Dx() {
				if before.At(x, y) != after.At(x, y) {
					t.Fatalf("another picture is left of %x", file)
				}
			}
		}
	})
}
