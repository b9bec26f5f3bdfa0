package httpapi_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
)

// testPictures sends a PDF with a picture through all of w, which has nothing fake, and asks for the picture in every
// way.
func testPictures(t *testing.T, w *world) {
	b := pdftest.New()
	p := b.Page(612, 792)
	p.Text(72, 700, 11, pdftest.Regular, "A text stands above the picture.")
	p.Paint([6]float64{120, 0, 0, 80, 72, 560}, pdftest.RGB(120, 80, func(x, y int) uint32 { return uint32(2*x)<<16 | uint32(3*y)<<8 }))
	p.Text(72, 540, 9, pdftest.Regular, "Figure 1: Two slopes")
	file := field{"file", "report.pdf", string(b.Bytes())}
	u := w.user(plan.Pro)
	check := func(t *testing.T, data []byte, format string) {
		t.Helper()
		img, got, err := image.Decode(bytes.NewReader(data))
		if err != nil || got != format || img.Bounds().Size() != image.Pt(120, 80) {
			t.Fatalf("%v: a %s", err, got)
		}
		if r, g, _, _ := img.At(100, 70).RGBA(); r>>8 < 190 || r>>8 > 210 || g>>8 < 200 || g>>8 > 220 {
			t.Errorf("colour %x %x", r, g)
		}
	}
	for format, extension := range map[string]string{"png": ".png", "jpeg": ".jpg"} {
		t.Run("external pictures are an archive of "+format, func(t *testing.T) {
			u := u.in(t)
			links := u.links(form{file, {"options", "", `{"format": ["markdown", "html"], "image_output": "external", "image_format": "` + format + `"}`}})
			name := "images/p1.e2" + extension
			if got := u.download(links["markdown"]); !strings.Contains(got, "![Figure 1: Two slopes]("+name+")\n\nFigure 1: Two slopes") {
				t.Errorf("%s", got)
			}
			if got := u.download(links["html"]); !strings.Contains(got, `<img src="`+name+`" width="120" height="80"`) {
				t.Errorf("%s", got)
			}
			answer := u.world.send(http.MethodGet, strings.TrimPrefix(links["images"], u.world.server.URL), nil).want(http.StatusOK)
			if got := answer.header.Get("Content-Disposition"); !strings.Contains(got, "report_images.zip") {
				t.Errorf("Content-Disposition %q", got)
			}
			if got := answer.header.Get("Content-Type"); got != "application/zip" {
				t.Errorf("Content-Type %q", got)
			}
			z, err := zip.NewReader(bytes.NewReader(answer.body), int64(len(answer.body)))
			if err != nil || len(z.File) != 1 || z.File[0].Name != name {
				t.Fatalf("%v: %v", err, z)
			}
			src, err := z.File[0].Open()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(src)
			if err != nil {
				t.Fatal(err)
			}
			check(t, data, format)
		})
		t.Run("embedded pictures are in the text as "+format, func(t *testing.T) {
			u := u.in(t)
			links := u.links(form{file, {"options", "", `{"image_output": "embedded", "image_format": "` + format + `"}`}})
			if len(links) != 1 {
				t.Errorf("links %v", links)
			}
			got := u.download(links["markdown"])
			uri := regexp.MustCompile(`!\[Figure 1: Two slopes\]\(data:image/` + format + `;base64,([^)]*)\)`).FindStringSubmatch(got)
			if uri == nil {
				t.Fatalf("%s", got)
			}
			data, err := base64.StdEncoding.DecodeString(uri[1])
			if err != nil {
				t.Fatal(err)
			}
			check(t, data, format)
		})
	}
}
