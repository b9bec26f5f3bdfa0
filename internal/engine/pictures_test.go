package engine_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	_ "image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// drawn is the file of a page, 600 by 800 points, that draw paints.
func drawn(draw func(p *pdftest.Page)) []byte {
	b := pdftest.New()
	draw(b.Page(600, 800))
	return b.Bytes()
}

// at is the matrix of an upright image with corner (x, y).
func at(x, y, width, height float64) [6]float64 { return [6]float64{width, 0, 0, height, x, y} }

// shades tells every pixel of an image from its neighbours.
func shades(x, y int) uint32 {
	return uint32(x*37%256)<<16 | uint32(y*53%256)<<8 | uint32((x+y)*11%256)
}

// slope grows by a level or two from pixel to pixel.
func slope(x, y int) uint32 { return uint32(2*x)<<16 | uint32(y)<<8 }

// extract converts pdf to Markdown, HTML and JSON with external pictures, has the outputs checked, and gives the
// pictures by name and the result.
func extract(t *testing.T, e *engine.Engine, pdf []byte, change ...func(*option.Options)) (map[string][]byte, engine.Result) {
	t.Helper()
	r := request(t, save(t, pdf), option.Markdown, option.HTML, option.JSON)
	r.Options.ImageOutput, r.Options.OCR = "external", "off"
	for _, f := range change {
		f(&r.Options)
	}
	result, err := e.Convert(within(t), r, nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(extension string) []byte {
		data, err := os.ReadFile(filepath.Join(r.OutDir, "out"+extension))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if err := exporttest.CheckOutputs(exporttest.Outputs{Markdown: read(".md"), HTML: read(".html"), JSON: read(".json")}, r.Options); err != nil {
		t.Error(err)
	}
	files := make(map[string][]byte)
	if r.Options.ImageOutput != "external" {
		return files, result
	}
	archive := read("_images.zip")
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		src, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(src); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(read(".md"), []byte("]("+f.Name+")")) || !bytes.Contains(read(".html"), []byte(`src="`+f.Name+`"`)) {
			t.Errorf("%s is in the archive, and not in the texts", f.Name)
		}
	}
	return files, result
}

// only is the only picture of pdf.
func only(t *testing.T, e *engine.Engine, pdf []byte, change ...func(*option.Options)) image.Image {
	t.Helper()
	files, _ := extract(t, e, pdf, change...)
	if len(files) != 1 {
		t.Fatalf("%d pictures", len(files))
	}
	for _, data := range files {
		img, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return img
	}
	return nil
}

// wantPixels compares a picture with the colours that it should have, to most levels of 255.
func wantPixels(t *testing.T, img image.Image, width, height, most int, want func(x, y int) uint32) {
	t.Helper()
	if size := img.Bounds().Size(); size != image.Pt(width, height) {
		t.Fatalf("%v pixels, want %d × %d", size, width, height)
	}
	for y := range height {
		for x := range width {
			r, g, b, a := img.At(x, y).RGBA()
			c := want(x, y)
			for i, v := range []uint32{r, g, b} {
				level := int(c>>(16-8*i)) & 0xFF
				if math.Abs(float64(int(v>>8)-level)) > float64(most) || a != 0xFFFF {
					t.Fatalf("pixel %d, %d is %02x%02x%02x, want %06x", x, y, r>>8, g>>8, b>>8, c)
				}
			}
		}
	}
}

func TestPictures(t *testing.T) {
	e := newEngine(t, 1)
	t.Run("an image comes out pixel by pixel, wherever it stands", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) {
			p.Text(50, 700, 11, pdftest.Regular, "Some text.")
			p.Paint(at(51.3, 333.7, 120.4, 80.27), pdftest.RGB(150, 100, shades))
		}))
		wantPixels(t, img, 150, 100, 0, shades)
	})
	t.Run("on a page that is shown turned it is turned with it", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(600, 800)
		p.Paint(at(50, 300, 150, 100), pdftest.RGB(150, 100, shades))
		p.Rotate(90)
		wantPixels(t, only(t, e, b.Bytes()), 100, 150, 0, func(x, y int) uint32 { return shades(y, 99-x) })
	})
	t.Run("what the crop box cuts off is cut off", func(t *testing.T) {
		b := pdftest.New()
		p := b.Page(600, 800)
		p.Crop(100, 100, 500, 700)
		p.Text(200, 600, 11, pdftest.Regular, "Some text.")
		p.Paint(at(50, 300, 150, 100), pdftest.RGB(150, 100, shades))
		wantPixels(t, only(t, e, b.Bytes()), 100, 100, 0, func(x, y int) uint32 { return shades(x+50, y) })
	})
	t.Run("a picture is what a clip leaves of its image", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) {
			p.Text(50, 700, 11, pdftest.Regular, "Some text.")
			p.Raw("q 80.1 320.1 60 50 re W n")
			p.Paint(at(50, 300, 150, 100), pdftest.RGB(150, 100, shades))
			p.Raw("Q")
		}))
		wantPixels(t, img, 60, 50, 0, func(x, y int) uint32 { return shades(x+30, y+30) })
	})
	t.Run("a soft mask lets the page show through", func(t *testing.T) {
		red := pdftest.RGB(100, 100, func(int, int) uint32 { return 0xFF0000 })
		mask := pdftest.Gray(100, 100, func(x, _ int) uint8 { return uint8(x / 50 * 255) })
		red.SoftMask = &mask
		wantPixels(t, only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 100, 100), red) })), 100, 100, 0, func(x, _ int) uint32 {
			if x < 50 {
				return 0xFFFFFF
			}
			return 0xFF0000
		})
	})
	t.Run("colours of print are those of the screen", func(t *testing.T) {
		cyan := pdftest.Raster{Width: 60, Height: 60, Entries: "/ColorSpace /DeviceCMYK /BitsPerComponent 8", Data: strings.Repeat("\xFF\x00\x00\x00", 3600)}
		wantPixels(t, only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 60, 60), cyan) })), 60, 60, 20, func(int, int) uint32 { return 0x00AEEF })
	})
	t.Run("colours of a palette and a decode array are followed", func(t *testing.T) {
		indexed := pdftest.Raster{
			Width: 64, Height: 64, Data: strings.Repeat("\x0F", 512),
			Entries: "/ColorSpace [/Indexed /DeviceRGB 1 <00FF000000FF>] /BitsPerComponent 1 /Decode [1 0]",
		}
		wantPixels(t, only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 64, 64), indexed) })), 64, 64, 0, func(x, _ int) uint32 {
			if x%8 < 4 {
				return 0x0000FF
			}
			return 0x00FF00
		})
	})
	t.Run("an image with few pixels is as large as drawings are", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) { p.Image(50, 300, 72, 36) }))
		if size := img.Bounds().Size(); size != image.Pt(200, 100) {
			t.Errorf("%v pixels", size)
		}
		if r, _, _, _ := img.At(0, 50).RGBA(); r != 0x8080 {
			t.Errorf("its left half is not gray: %x", r)
		}
	})
	t.Run("strips of an image are one picture", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) {
			p.Text(50, 700, 11, pdftest.Regular, "Some text.")
			for i := range 5 {
				p.Paint(at(50, 300-float64(20*i), 100, 20), pdftest.RGB(100, 20, func(x, y int) uint32 { return slope(x, y+20*i) }))
			}
		}))
		wantPixels(t, img, 100, 100, 4, slope) // edges of strips fall between pixels
	})
	t.Run("the largest image is made smaller", func(t *testing.T) {
		huge := pdftest.Gray(3000, 1500, func(x, _ int) uint8 { return uint8(x / 1500 * 255) })
		img := only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 500, 250), huge) }))
		if size := img.Bounds().Size(); size != image.Pt(2048, 1024) {
			t.Errorf("%v pixels", size)
		}
	})
}

// chart draws bars with a baseline and labels; the last label stands beside the bars, half below the line.
func chart(p *pdftest.Page) {
	p.Text(72, 700, 11, pdftest.Regular, "A paragraph of text stands above the chart, as wide as the page is, so that it is text.")
	for i, height := range []float64{40, 90, 60, 120} {
		x := 100 + 40*float64(i)
		p.Fill(x, 400, 20, height, 0, 0, 1)
		p.Text(x, 388, 8, pdftest.Regular, []string{"2021", "2022", "2023", "2024"}[i])
	}
	p.Line(90, 400, 260, 400, 1)
}

func TestPicturesOfDrawings(t *testing.T) {
	e := newEngine(t, 1)
	t.Run("a chart is one picture at 200 pixels an inch, with its labels", func(t *testing.T) {
		img := only(t, e, drawn(chart))
		size := img.Bounds().Size()
		// 170 by 132 points of bars, labels and line, and a margin.
		if w, h := float64(size.X)*72/200, float64(size.Y)*72/200; w < 170 || w > 180 || h < 125 || h > 140 {
			t.Errorf("%v pixels", size)
		}
		blue, ink := 0, 0
		for y := range size.Y {
			for x := range size.X {
				switch r, g, b, _ := img.At(x, y).RGBA(); {
				case r == 0 && g == 0 && b == 0xFFFF:
					blue++
				case r < 0x4000 && b < 0x4000 && y > size.Y*9/10:
					ink++ // of the labels
				}
			}
		}
		if share := float64(blue) / (310 * 20) * 72 * 72 / 200 / 200; share < 0.97 || share > 1.01 {
			t.Errorf("%.2f of the bars are in the picture", share)
		}
		if ink < 200 {
			t.Errorf("%d pixels of labels", ink)
		}
	})
	t.Run("its labels are in the texts as well", func(t *testing.T) {
		o := option.Default()
		o.ImageOutput = "external"
		r := request(t, save(t, drawn(chart)))
		r.Options = o
		if _, err := e.Convert(within(t), r, nil); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(r.OutDir, "out.md"))
		if err != nil || !strings.Contains(string(got), "](images/p1.e2.png)\n\n2021 2022 2023 2024") {
			t.Errorf("%v: %s", err, got)
		}
	})
	t.Run("labels over a photograph are readable", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) {
			p.Text(72, 700, 11, pdftest.Regular, "A paragraph of text stands above the picture, as wide as the page is, so that it is text.")
			p.Paint(at(100, 300, 200, 200), pdftest.Gray(200, 200, func(x, y int) uint8 { return uint8(200 + x%30) }))
			for i, s := range []string{"valve", "piston", "rod", "crank"} {
				p.Text(140, 330+40*float64(i), 8, pdftest.Regular, s)
			}
		}))
		if size := img.Bounds().Size(); size.X < 550 || size.X > 575 {
			t.Errorf("%v pixels", size)
		}
	})
}

func TestPicturesHaveTheTextOfTheirTags(t *testing.T) {
	e := newEngine(t, 1)
	b := pdftest.New()
	p := b.Page(600, 800)
	root := b.Tag("Document", "")
	p.Mark(root.Tag("P", ""), func() { p.Text(50, 700, 11, pdftest.Regular, "Some text.") })
	photo := pdftest.RGB(100, 100, shades)
	p.Mark(root.Tag("Figure", "/Alt (A house)"), func() { p.Paint(at(50, 300, 100, 100), photo) })
	p.Mark(root.Tag("Figure", "/Alt (A tree)"), func() { p.Paint(at(50, 200, 100, 80), photo) })
	p.Paint(at(50, 50, 100, 100), photo)
	for _, tree := range []bool{false, true} {
		r := request(t, save(t, b.Bytes()))
		r.Options.ImageOutput, r.Options.UseStructTree = "external", tree
		if _, err := e.Convert(within(t), r, nil); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(r.OutDir, "out.md"))
		want := "Some text.\n\n![A house](images/p1.e2.png)\n\n![A tree](images/p1.e3.png)\n\n![](images/p1.e2.png)\n"
		if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
			t.Errorf("use_struct_tree %t: %v %s", tree, err, diff)
		}
	}
}

func TestPicturesLeftOut(t *testing.T) {
	e := newEngine(t, 1)
	photo := pdftest.RGB(100, 100, shades)
	white := pdftest.RGB(100, 100, func(int, int) uint32 { return 0xFFFFFF })
	for name, draw := range map[string]func(*pdftest.Page){
		"a white one on white": func(p *pdftest.Page) { p.Paint(at(50, 300, 100, 100), white) },
		"one that something covers": func(p *pdftest.Page) {
			p.Paint(at(50, 300, 100, 100), photo)
			p.Fill(40, 290, 120, 120, 1, 1, 1)
		},
		"one that is clipped away": func(p *pdftest.Page) {
			p.Raw("q 0 0 1 1 re W n")
			p.Paint(at(50, 300, 100, 100), photo)
			p.Raw("Q")
		},
		"one off the page": func(p *pdftest.Page) { p.Paint(at(700, 300, 100, 100), photo) },
		"an icon":          func(p *pdftest.Page) { p.Paint(at(50, 300, 16, 16), photo) },
		"the paper of a text": func(p *pdftest.Page) {
			p.Paint(at(50, 300, 400, 300), photo)
			for i := range 20 {
				p.Text(60, 580-14*float64(i), 11, pdftest.Regular, "A text of many lines is printed over a picture, which is its paper.")
			}
		},
		"the background of a page": func(p *pdftest.Page) { p.Paint(at(0, 0, 600, 800), photo) },
	} {
		t.Run(name, func(t *testing.T) {
			files, result := extract(t, e, drawn(func(p *pdftest.Page) {
				p.Text(50, 700, 11, pdftest.Regular, "Some text.")
				draw(p)
			}))
			if len(files) != 0 || len(result.Warnings) != 0 {
				t.Errorf("%d pictures, warnings %v", len(files), result.Warnings)
			}
		})
	}
	t.Run("but one of one colour that can be seen", func(t *testing.T) {
		red := func(int, int) uint32 { return 0xFF0000 }
		wantPixels(t, only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 100, 100), pdftest.RGB(100, 100, red)) })), 100, 100, 0, red)
	})
	t.Run("a scan of which no text could be made is a picture", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) { p.Paint(at(0, 0, 600, 800), pdftest.RGB(300, 400, shades)) }))
		wantPixels(t, img, 300, 400, 0, shades)
	})
}

// photograph is a JPEG file of smooth colours with an Exif segment, a comment and something behind its end.
func photograph(t *testing.T, width, height int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.Set(x, y, color.RGBA{uint8(255 * x / width), uint8(255 * y / height), 90, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	segment := func(marker byte, s string) []byte {
		return append([]byte{0xFF, marker, 0, byte(len(s) + 2)}, s...)
	}
	return slices.Concat(b.Bytes()[:2], segment(0xE1, "Exif\x00\x00 where it was taken"), segment(0xFE, "a comment"), b.Bytes()[2:], []byte("behind the end"))
}

func TestPicturesAsJPEG(t *testing.T) {
	e := newEngine(t, 1)
	asJPEG := func(o *option.Options) { o.ImageFormat = "jpeg" }
	file := photograph(t, 160, 120)
	raster := pdftest.Raster{Width: 160, Height: 120, Entries: "/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode", Data: string(file)}
	plain := func(p *pdftest.Page) { p.Paint(at(50, 300, 160, 120), raster) }
	t.Run("a file that the page shows as it is is passed on, without what is nobody's business", func(t *testing.T) {
		files, _ := extract(t, e, drawn(plain), asJPEG)
		got := files["images/p1.e1.jpg"]
		if bytes.Contains(got, []byte("Exif")) || bytes.Contains(got, []byte("comment")) || bytes.Contains(got, []byte("behind")) {
			t.Error("metadata are left")
		}
		_, scan, ok := bytes.Cut(file, []byte{0xFF, 0xDA})
		scan, _, _ = bytes.Cut(scan, []byte("behind"))
		if !ok || !bytes.HasSuffix(got, scan) {
			t.Errorf("the picture, of %d bytes, is another one", len(got))
		}
	})
	for name, draw := range map[string]func(*pdftest.Page){
		"something is drawn over": func(p *pdftest.Page) { plain(p); p.Fill(100, 350, 30, 4, 1, 1, 1) },
		"it is shown upside down": func(p *pdftest.Page) { p.Paint([6]float64{160, 0, 0, -120, 50, 420}, raster) },
		"it is cut": func(p *pdftest.Page) {
			p.Raw("q 50 300 m 210 300 l 210 372 l 130 372 l 130 420 l 50 420 l h W n")
			plain(p)
			p.Raw("Q")
		},
		"its colours are turned around": func(p *pdftest.Page) {
			r := raster
			r.Entries += " /Decode [1 0 1 0 1 0]"
			p.Paint(at(50, 300, 160, 120), r)
		},
		"it has a mask": func(p *pdftest.Page) {
			r, mask := raster, pdftest.Gray(160, 120, func(x, _ int) uint8 { return uint8(x) })
			r.SoftMask = &mask
			p.Paint(at(50, 300, 160, 120), r)
		},
	} {
		t.Run("what the page shows is encoded anew where "+name, func(t *testing.T) {
			png := only(t, e, drawn(draw))
			got := only(t, e, drawn(draw), asJPEG)
			if _, ok := got.(*image.YCbCr); !ok {
				t.Fatalf("a %T", got)
			}
			wantPixels(t, got, 160, 120, 40, func(x, y int) uint32 {
				r, g, b, _ := png.At(x, y).RGBA()
				return r>>8<<16 | g>>8<<8 | b>>8
			})
			original, err := jpeg.Decode(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			if same(original, got) {
				t.Error("the picture is the file")
			}
		})
	}
	t.Run("as PNG it is what the page shows", func(t *testing.T) {
		original, err := jpeg.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		wantPixels(t, only(t, e, drawn(plain)), 160, 120, 8, func(x, y int) uint32 {
			r, g, b, _ := original.At(x, y).RGBA()
			return r>>8<<16 | g>>8<<8 | b>>8
		})
	})
	t.Run("gray ones stay gray", func(t *testing.T) {
		img := only(t, e, drawn(func(p *pdftest.Page) {
			p.Paint(at(50, 300, 100, 100), pdftest.Gray(100, 100, func(x, y int) uint8 { return uint8(x + y) }))
		}), asJPEG)
		if _, ok := img.(*image.Gray); !ok {
			t.Errorf("a %T", img)
		}
	})
}

// same reports whether two pictures have the same pixels.
func same(a, b image.Image) bool {
	pixels := func(img image.Image) []byte {
		out := image.NewRGBA(img.Bounds())
		draw.Draw(out, out.Rect, img, image.Point{}, draw.Src)
		return out.Pix
	}
	return bytes.Equal(pixels(a), pixels(b))
}

func TestPictureArchive(t *testing.T) {
	e := newEngine(t, 1)
	logos := pdftest.New()
	for range 2 {
		p := logos.Page(600, 800)
		p.Text(50, 700, 11, pdftest.Regular, "Some text.")
		p.Paint(at(50, 300, 100, 100), pdftest.RGB(100, 100, shades))
	}
	t.Run("figures that look the same share a picture", func(t *testing.T) {
		files, _ := extract(t, e, logos.Bytes())
		if len(files) != 1 || files["images/p1.e2.png"] == nil {
			t.Errorf("%d pictures", len(files))
		}
	})
	t.Run("the same file gives the same archive, whenever", func(t *testing.T) {
		var archives [2][]byte
		for i := range archives {
			r := request(t, save(t, logos.Bytes()))
			r.Options.ImageOutput = "external"
			result, err := e.Convert(within(t), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			out := result.Outputs[len(result.Outputs)-1]
			if archives[i], err = os.ReadFile(filepath.Join(r.OutDir, "out_images.zip")); err != nil {
				t.Fatal(err)
			}
			want := engine.Output{Format: "images", Name: "out_images.zip", Size: int64(len(archives[i])), Type: "application/zip"}
			if diff := cmp.Diff(want, out); diff != "" {
				t.Error(diff)
			}
			left, err := os.ReadDir(r.OutDir)
			if err != nil || len(left) != 2 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		}
		if !bytes.Equal(archives[0], archives[1]) {
			t.Error("they differ")
		}
	})
	t.Run("it is there, and empty, where there are no pictures", func(t *testing.T) {
		files, result := extract(t, e, pdftest.Pages(1))
		if len(files) != 0 || len(result.Outputs) != 4 {
			t.Errorf("%d pictures, outputs %v", len(files), result.Outputs)
		}
	})
	t.Run("embedded pictures need none", func(t *testing.T) {
		pdf := drawn(func(p *pdftest.Page) { p.Paint(at(50, 300, 100, 100), pdftest.RGB(100, 100, shades)) })
		_, result := extract(t, e, pdf, func(o *option.Options) { o.ImageOutput = "embedded" })
		if len(result.Outputs) != 3 {
			t.Errorf("outputs %v", result.Outputs)
		}
		r := request(t, save(t, pdf), option.JSON)
		r.Options.ImageOutput, r.Options.OCR = "embedded", "off"
		if _, err := e.Convert(within(t), r, nil); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(filepath.Join(r.OutDir, "out.json"))
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Kids []struct {
				Image struct{ Data string }
			}
		}
		if err := json.Unmarshal(raw, &got); err != nil || len(got.Kids) != 1 {
			t.Fatalf("%v in %s", err, raw)
		}
		uri := regexp.MustCompile(`^data:image/png;base64,(.*)$`).FindStringSubmatch(got.Kids[0].Image.Data)
		if uri == nil {
			t.Fatalf("%.60s", got.Kids[0].Image.Data)
		}
		img, _, err := image.Decode(base64.NewDecoder(base64.StdEncoding, strings.NewReader(uri[1])))
		if err != nil {
			t.Fatal(err)
		}
		wantPixels(t, img, 100, 100, 0, shades)
	})
}
