package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/ocr"
)

// What a page is rendered at for recognition. Tesseract's models were trained on 300 dpi; print of 6 points has small
// letters of 13 pixels then, which is the least that it reads well. mostPixels are those of a page somewhat larger than
// A4: posters get fewer per inch. A picture of that size takes 12 MB, and 48 MB while it is rendered.
const (
	ocrDPI     = 300
	mostPixels = 12_000_000
)

// ocrPageTime is the deadline for one page. The densest newspaper page takes 20 seconds on a slow processor; what takes
// longer is grain or a pattern in which Tesseract sees thousands of letters.
const ocrPageTime = 60 * time.Second

// mostRecognisers bounds how many pages are read at once, for each holds a picture.
const mostRecognisers = 8

// A recogniser reads pages with Tesseract, several at once, each in a process of its own.
type recogniser struct {
	ctx       context.Context
	stop      context.CancelFunc
	slots     chan struct{} // one token per picture
	program   *ocr.Program  // nil before it is needed, and when there is none
	sought    bool
	languages []string // that are asked for and there
	missing   []string // that are asked for and not there
}

func newRecogniser(ctx context.Context, processes int) *recogniser {
	ctx, stop := context.WithCancel(ctx)
	return &recogniser{ctx: ctx, stop: stop, slots: make(chan struct{}, min(max(processes, 1), mostRecognisers))}
}

// close ends all processes and waits until they are gone.
func (r *recogniser) close() {
	r.stop()
	for range cap(r.slots) {
		r.slots <- struct{}{}
	}
}

// available looks for Tesseract and the languages when it is first asked, and reports whether pages can be read.
func (r *recogniser) available(languages []string) bool {
	if !r.sought {
		r.sought = true
		// An error means that it is not there or does not run: one is as good as the other for the pages.
		if p, err := ocr.Find(r.ctx); err == nil {
			r.program = p
			r.languages, r.missing = p.Split(languages)
		}
	}
	return r.program != nil && len(r.languages) > 0
}

// A recognition is the reading of one page.
type recognition struct {
	done chan struct{} // closed when the rest is set
	text *ocr.Text
	err  error
}

// recognise begins to read page n, once there is room for one more. It gives nil when the page cannot be shown.
func (c *conversion) recognise(n int) *recognition {
	r := c.recogniser
	r.slots <- struct{}{}
	img, dpi, err := c.file.RenderGray(n, ocrDPI, mostPixels)
	if err != nil {
		<-r.slots
		return nil
	}
	out := &recognition{done: make(chan struct{})}
	go func() {
		defer func() { <-r.slots }()
		defer close(out.done)
		ctx, cancel := context.WithTimeout(r.ctx, c.request.OCRPageTime)
		defer cancel()
		out.text, out.err = r.program.Read(ctx, img, dpi, r.languages)
	}()
	return out
}

// wantsOCR reports whether a page is to be read: in auto, one that shows something that may be text and whose own text
// is missing or useless.
func (c *conversion) wantsOCR(content *document.Content, s pageState) bool {
	switch {
	case c.options.OCR == "off" || s.blank:
		return false
	case c.options.OCR == "force":
		return true
	case s.garbled || s.illegible:
		return true
	case s.textless:
		return len(content.Images) > 0 || slices.ContainsFunc(content.Rules, func(r document.Rule) bool { return r.Kind == document.RuleCurve })
	}
	return stampedScan(content)
}

// stampedScan reports whether a page is a picture with a running head or foot, or a stamp in its margin, that was added
// to it as text: page numbers of a bundle, the line of an archive. The text of a title over a background picture stands
// in its middle, and the text layer of a scan covers it.
func stampedScan(c *document.Content) bool {
	const (
		least  = 0.85 // of the page's area has to be picture
		margin = 0.1  // of the page's height
		most   = 300  // characters: three lines at the head, three at the foot
	)
	if len(c.Glyphs) > most || c.Width <= 0 || c.Height <= 0 {
		return false
	}
	page := document.Box{Right: c.Width, Bottom: c.Height}
	if !slices.ContainsFunc(c.Images, func(i document.Image) bool {
		b := i.Box.Intersect(page)
		return b.Width()*b.Height() >= least*c.Width*c.Height
	}) {
		return false
	}
	for i := range c.Glyphs {
		if g := &c.Glyphs[i]; g.Rune > ' ' && g.OriginY > margin*c.Height && g.OriginY < (1-margin)*c.Height {
			return false
		}
	}
	return true
}

// use puts what was read on a page into its content, notes what came of it, and gives the state that the page is in then.
func (c *conversion) use(h heldPage) pageState {
	r, content, s := h.read, h.content, h.state
	f, n := &c.found, content.Number
	switch {
	case r == nil:
		f.unread = append(f.unread, n)
		return s
	case errors.Is(r.err, context.DeadlineExceeded):
		f.slow = append(f.slow, n)
		return s
	case r.err != nil:
		f.unread = append(f.unread, n)
		if f.ocrError == "" {
			f.ocrError = r.err.Error()
		}
		return s
	case r.text.Empty():
		return s
	case s.garbled && c.options.OCR != "force" && r.text.Confirms(textOf(content)):
		s.garbled = false // odd, but what the page shows: names, codes, a test's nonsense
		return s
	}
	f.recognised = append(f.recognised, n)
	if s.textless || s.garbled || s.illegible || c.options.OCR == "force" {
		content.Glyphs, content.Fonts = content.Glyphs[:0], content.Fonts[:0]
	}
	content.Structure = nil // it names parts of the page's own text
	words := r.text.Boxes(content.Width, content.Height)
	dropScans(content, words)
	dropOutlines(content, words)
	own := len(content.Glyphs)
	r.text.AppendTo(content, func(b document.Box) bool {
		if slices.ContainsFunc(h.faint, func(f document.Box) bool { return inside(b, f) }) {
			return true
		}
		return slices.ContainsFunc(content.Glyphs[:own], func(g document.Glyph) bool { return inside(g.Loose, b) })
	})
	return examine(content)
}

// textOf is all that a page's glyphs say, in their order.
func textOf(c *document.Content) string {
	var b strings.Builder
	for i := range c.Glyphs {
		b.WriteRune(c.Glyphs[i].Rune)
		b.WriteString(c.Glyphs[i].Extra)
	}
	return b.String()
}

// inside reports whether the middle of b lies in around.
func inside(b, around document.Box) bool {
	x, y := (b.Left+b.Right)/2, (b.Top+b.Bottom)/2
	return x > around.Left && x < around.Right && y > around.Top && y < around.Bottom
}

// dropScans takes the pictures that are the text itself out of a page's content: scans of pages or parts of them. The layout
// would take the text in them for labels.
func dropScans(c *document.Content, words []document.Box) {
	const (
		many  = 1000 // images: more are a pattern, or made to take time
		most  = 0.5  // of the page's area: a larger picture with words in it is a scan
		dense = 0.2  // of a smaller picture's area that words cover: lines of text cover a third
	)
	if len(c.Images) > many {
		return
	}
	c.Images = slices.DeleteFunc(c.Images, func(i document.Image) bool {
		covered := 0.0
		for _, w := range words {
			if inside(w, i.Box) {
				covered += w.Width() * w.Height()
			}
		}
		area := i.Box.Width() * i.Box.Height()
		return covered > 0 && (area > most*c.Width*c.Height || covered > dense*area)
	})
}

// dropOutlines takes the paths out of a page's content that are letters of words: text that was drawn as shapes would be a
// chart to the layout. It sorts words. Its cost is that of paths in words times words on a line.
func dropOutlines(c *document.Content, words []document.Box) {
	const near = 1.0 // points, around a word: accents, tails
	if len(c.Rules) == 0 {
		return
	}
	slices.SortFunc(words, func(a, b document.Box) int { return cmp.Compare(a.Top, b.Top) })
	tallest := 0.0
	for _, w := range words {
		tallest = max(tallest, w.Height())
	}
	c.Rules = slices.DeleteFunc(c.Rules, func(r document.Rule) bool {
		if r.Kind != document.RuleCurve {
			return false
		}
		// Words that begin farther above end above, too.
		first, _ := slices.BinarySearchFunc(words, r.Box.Top-tallest-near, func(w document.Box, y float64) int { return cmp.Compare(w.Top, y) })
		for _, w := range words[first:] {
			if w.Top > r.Box.Top+near {
				break
			}
			if r.Box.Left >= w.Left-near && r.Box.Right <= w.Right+near && r.Box.Bottom <= w.Bottom+near {
				return true
			}
		}
		return false
	})
}

// ocrWarnings puts into words what came of the pages that recognition was meant for.
func (c *conversion) ocrWarnings() []document.Warning {
	f, r := &c.found, c.recogniser
	unavailable := "Tesseract, which would read these pages from their picture (OCR), is not installed. To install it: " + install(c.options.OCRLanguages)
	missing := "Tesseract has no model here for " + strings.Join(r.missing, ", ") + ": these pages were read without. To install it: " + install(r.missing)
	if len(r.languages) == 0 {
		missing = "Tesseract has no model here for " + strings.Join(r.missing, ", ") + ": these pages were not read. To install it: " + install(r.missing)
	}
	var without, poor []int
	if r.program == nil {
		without = f.unavailable
	} else if len(r.missing) > 0 {
		poor = append(slices.Clone(f.recognised), f.unavailable...)
		slices.Sort(poor)
	}
	return []document.Warning{
		{Code: "ocr_applied", Message: "The text of these pages was read from their picture (OCR): it may have mistakes.", Pages: f.recognised},
		{Code: "ocr_unavailable", Message: unavailable, Pages: without},
		{Code: "ocr_language_missing", Message: missing, Pages: poor},
		{Code: "ocr_timed_out", Message: "Reading these pages from their picture (OCR) took too long: they have what text the file itself gives.", Pages: f.slow},
		{Code: "ocr_failed", Message: "These pages could not be read from their picture (OCR): they have what text the file itself gives.", Pages: f.unread},
	}
}

// install says how to install Tesseract with models for some languages.
func install(languages []string) string {
	packages := "tesseract-ocr"
	for _, l := range languages {
		packages += " tesseract-ocr-" + strings.ReplaceAll(strings.ToLower(l), "_", "-")
	}
	return "apt-get install " + packages + " on Debian and Ubuntu; the documentation names the packages of other systems."
}
