package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/ocr/ocrtest"
)

// hocrWord is an answer with one word.
func hocrWord(text string, left, top, right, bottom, confidence int) string {
	return fmt.Sprintf("<html><body><span class='ocr_line' title='bbox %[2]d %[3]d %[4]d %[5]d'><span class='ocrx_word' title='bbox %[2]d %[3]d %[4]d %[5]d; x_wconf %[6]d'>%[1]s</span></span></body></html>",
		text, left, top, right, bottom, confidence)
}

// sideways is an answer with two words on a vertical line, the second one at y.
func sideways(x, first, second, confidence int) string {
	return fmt.Sprintf("<html><body><span class='ocr_line' title='bbox %[1]d 0 %[2]d 400'>"+
		"<span class='ocrx_word' title='bbox %[1]d %[3]d %[2]d %[4]d; x_wconf %[7]d'>letters</span>"+
		"<span class='ocrx_word' title='bbox %[1]d %[5]d %[2]d %[6]d; x_wconf %[7]d'>along</span></span></body></html>",
		x, x+20, first, first+80, second, second+80, confidence)
}

func page(width, height int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	return img
}

func find(t *testing.T) *Program {
	t.Helper()
	p, err := Find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shown is the text of a page's glyphs, in their order.
func shown(c *document.Content) string {
	var b strings.Builder
	for _, g := range c.Glyphs {
		b.WriteRune(g.Rune)
	}
	return b.String()
}

func TestFind(t *testing.T) {
	t.Run("says so when there is none", func(t *testing.T) {
		ocrtest.Uninstall(t)
		if _, err := Find(t.Context()); !errors.Is(err, ErrNotInstalled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("tells languages that are there from others, in the order asked for", func(t *testing.T) {
		ocrtest.Install(t, "deu eng osd", "")
		present, missing := find(t).Split([]string{"fra", "eng", "deu", "chi_sim"})
		if diff := cmp.Diff([][]string{{"eng", "deu"}, {"fra", "chi_sim"}}, [][]string{present, missing}); diff != "" {
			t.Error(diff)
		}
	})
}

func TestRead_runs_the_program(t *testing.T) {
	read := func(t *testing.T, ctx context.Context) (*Text, error) {
		t.Helper()
		return find(t).Read(ctx, page(300, 200), 300, []string{"eng", "deu"})
	}
	t.Run("on one processor, with the languages and nothing of our environment", func(t *testing.T) {
		t.Setenv("DATABASE_URL", "postgres://secret")
		t.Setenv("TESSDATA_PREFIX", "/models")
		p := ocrtest.Install(t, "eng deu", ocrtest.HOCR(10, 10, 20, "a line"))
		if _, err := read(t, t.Context()); err != nil {
			t.Fatal(err)
		}
		runs := p.Runs()
		if len(runs) != 1 {
			t.Fatalf("%d runs for a page that it is sure of", len(runs))
		}
		for _, want := range []string{"-l eng+deu", "--dpi 300", "OMP_THREAD_LIMIT=1", "TESSDATA_PREFIX=/models"} {
			if !strings.Contains(runs[0], want) {
				t.Errorf("no %q in %s", want, runs[0])
			}
		}
		if strings.Contains(runs[0], "secret") {
			t.Errorf("it sees what it need not: %s", runs[0])
		}
	})
	t.Run("ends it with the context", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.Hang)
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := read(t, ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("stops one that prints without end", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.Flood)
		if _, err := read(t, t.Context()); err == nil {
			t.Error("no error")
		}
	})
	t.Run("tells how one failed", func(t *testing.T) {
		ocrtest.Install(t, "eng", ocrtest.Crash)
		if _, err := read(t, t.Context()); err == nil || !strings.Contains(err.Error(), "it does not work") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("takes an answer that is none for an error", func(t *testing.T) {
		ocrtest.Install(t, "eng", "<html><span class='ocr_line'")
		if _, err := read(t, t.Context()); err == nil {
			t.Error("no error")
		}
	})
}

func TestRead_turns_pictures_until_the_text_is_upright(t *testing.T) {
	for quarter, corner := range map[int]image.Point{0: {0, 0}, 1: {399, 0}, 2: {399, 299}, 3: {0, 299}} {
		t.Run(fmt.Sprint(quarter, " quarters"), func(t *testing.T) {
			ocrtest.Install(t, "eng", "")
			img := page(400, 300)
			img.Pix[corner.Y*img.Stride+corner.X] = 0
			text, err := find(t).Read(t.Context(), img, 72, []string{"eng"})
			if err != nil {
				t.Fatal(err)
			}
			if text.Quarter != quarter {
				t.Fatalf("turned by %d", text.Quarter)
			}
			c := document.Content{Width: 400, Height: 300}
			text.AppendTo(&c, nil)
			if got := shown(&c); got != "upright lettersare understood" {
				t.Errorf("read %q", got)
			}
			// The first letter is near the dark corner, and the second one further along.
			first, second := c.Glyphs[0], c.Glyphs[1]
			if math.Hypot(first.OriginX-float64(corner.X), first.OriginY-float64(corner.Y)) > 40 {
				t.Errorf("the first letter is at %g, %g", first.OriginX, first.OriginY)
			}
			angle := math.Mod(math.Atan2(second.OriginY-first.OriginY, second.OriginX-first.OriginX)*180/math.Pi+360, 360)
			if angle != first.Angle || angle != float64(90*quarter) {
				t.Errorf("the line runs at %g degrees and says %g", angle, first.Angle)
			}
		})
	}
}

func TestRead_keeps_the_first_reading_when_turning_does_not_help(t *testing.T) {
	p := ocrtest.Install(t, "eng", hocrWord("smudge", 10, 10, 110, 30, 40))
	text, err := find(t).Read(t.Context(), page(400, 300), 72, []string{"eng"})
	if err != nil {
		t.Fatal(err)
	}
	if text.Quarter != 0 || len(p.Runs()) != 2 {
		t.Errorf("turned by %d after %d runs", text.Quarter, len(p.Runs()))
	}
}

func TestUnturn_undoes_turns(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 3, 2))
	copy(img.Pix, []byte{1, 2, 3, 4, 5, 6})
	for quarter, want := range map[int][]byte{1: {3, 6, 2, 5, 1, 4}, 2: {6, 5, 4, 3, 2, 1}, 3: {4, 1, 5, 2, 6, 3}} {
		if diff := cmp.Diff(want, unturn(img, quarter).Pix); diff != "" {
			t.Errorf("%d quarters: %s", quarter, diff)
		}
	}
	back := unturn(unturn(img, 1), 3)
	if !slices.Equal(back.Pix, img.Pix) {
		t.Errorf("there and back: %v", back.Pix)
	}
}
