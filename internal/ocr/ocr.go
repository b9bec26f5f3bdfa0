// Package ocr reads the text in pictures of pages with Tesseract, a program of its own that is used where it is
// installed, and makes of it the characters that the layout works on (document.Glyph).
//
// A picture goes through these steps, each in a file of its own: the program is run (run), its answer is read (hocr),
// pictures that stand on their side or head are turned and read again (turn), noise is dropped and what all lines have
// in common is settled: their slope, their sizes, what is bold (lines, bold), and words become characters (glyphs).
//
// What the program says is not trusted: it has seen a stranger's picture.
package ocr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// ErrNotInstalled is the error of Find when there is no Tesseract on PATH.
var ErrNotInstalled = errors.New("tesseract is not installed")

// Program is an installed Tesseract. It is safe for concurrent use.
type Program struct {
	path      string
	languages []string
}

// findTime is what Tesseract may take to list its languages, which it does in milliseconds.
const findTime = 10 * time.Second

// Find looks for Tesseract 4 or 5 on PATH, with its models where TESSDATA_PREFIX says or where it was built to look.
// The error is ErrNotInstalled, or tells why the program does not run.
func Find(ctx context.Context) (*Program, error) {
	path, err := exec.LookPath("tesseract")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotInstalled, err)
	}
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	out, err := run(ctx, nil, path, "--list-langs")
	if err != nil {
		return nil, err
	}
	p := &Program{path: path}
	for line := range strings.Lines(string(out)) {
		// The first line is a sentence.
		if name := strings.TrimSpace(line); name != "" && !strings.ContainsAny(name, " :") {
			p.languages = append(p.languages, name)
		}
	}
	return p, nil
}

// Languages are those that have a model here. The caller must not change them.
func (p *Program) Languages() []string { return p.languages }

// Split tells apart which of the wanted languages have a model here. The order stays: the first language is the one
// that Tesseract expects most of the text to be in.
func (p *Program) Split(wanted []string) (present, missing []string) {
	for _, l := range wanted {
		if slices.Contains(p.languages, l) {
			present = append(present, l)
		} else {
			missing = append(missing, l)
		}
	}
	return present, missing
}

// Text is what was read in a picture of a page.
type Text struct {
	// Quarter is how many clockwise quarter turns the text stands turned in the picture: 1 runs down, 2 is upside down.
	Quarter int
	lines   []line
	angle   float64 // of the lines before they were straightened, in radians
	rules   []rule  // of the picture as it was
	width   float64 // pixels, of the picture turned upright
	height  float64
	dpi     float64
}

// Empty reports whether nothing was read.
func (t *Text) Empty() bool { return len(t.lines) == 0 }

// Confirms reports whether most of what was read is in a text that was said to be that of the page, in which white space
// does not matter: then that text is right, for it is no chance that both say the same.
func (t *Text) Confirms(said string) bool {
	const (
		telling = 4   // letters of a word that is not found in any text by chance
		share   = 0.6 // of the letters of such words; Tesseract has one word in fifty wrong, garbled text all
	)
	said = strings.ToLower(strings.Join(strings.Fields(said), ""))
	found, all := 0, 0
	for _, l := range t.lines {
		for _, w := range l.words {
			if w.letters < telling || w.confidence < sureLine {
				continue
			}
			all += w.letters
			if strings.Contains(said, strings.ToLower(w.text)) {
				found += w.letters
			}
		}
	}
	return all > 0 && float64(found) >= share*float64(all)
}

// Read recognises the text in a picture of a page, which has dpi pixels per inch, in languages that are installed. It
// takes a second or two of one processor for a page of text, and the same again for each turn that it tries on pictures
// whose text does not run from left to right. It paints over the rules in img. When ctx ends, so does the program, and the error is that of ctx.
func (p *Program) Read(ctx context.Context, img *image.Gray, dpi float64, languages []string) (*Text, error) {
	rules := takeRules(img, dpi)
	best, err := p.readTurned(ctx, img, 0, dpi, languages)
	if err != nil {
		return nil, err
	}
	for _, quarter := range best.turns() {
		t, err := p.readTurned(ctx, img, quarter, dpi, languages)
		if err != nil {
			return nil, err
		}
		if t.quality() > best.quality() {
			best = t
		}
		if !best.doubtful() {
			break
		}
	}
	best.clean()
	best.rules = rules
	return best, nil
}

// readTurned reads a picture whose text is turned by quarter clockwise quarter turns.
func (p *Program) readTurned(ctx context.Context, img *image.Gray, quarter int, dpi float64, languages []string) (*Text, error) {
	upright := unturn(img, quarter)
	out, err := run(ctx, picture(upright), p.path,
		"stdin", "stdout", "-l", strings.Join(languages, "+"), "--psm", "3", "--dpi", fmt.Sprintf("%.0f", dpi),
		"-c", "tessedit_create_hocr=1", "-c", "hocr_font_info=0")
	if err != nil {
		return nil, err
	}
	size := upright.Bounds().Size()
	t := &Text{Quarter: quarter, width: float64(size.X), height: float64(size.Y), dpi: dpi}
	if t.lines, err = parseHOCR(out, t.width, t.height); err != nil {
		return nil, err
	}
	t.weigh(upright)
	return t, nil
}
