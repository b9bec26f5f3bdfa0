package engine

import (
	"time"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

// An intake brings pages into the layout in their order. Pages that have to be recognised take seconds, so it goes on
// to read those after them, and holds these back until it is their turn. Without any it holds back none.
type intake struct {
	c        *conversion
	analyzer *layout.Analyzer
	held     []heldPage
	weight   int // glyphs and paths of the held pages
	spare    []*document.Content
	done     int
	reported time.Time
	began    time.Time  // of the conversion
	times    []pageTime // not reported yet
}

// A heldPage is on its way into the layout.
type heldPage struct {
	content *document.Content
	state   pageState
	wanted  bool // recognition is wanted and was tried
	read    *recognition
	faint   []document.Box // where nothing is to be recognised
	began   time.Time
	took    time.Duration // for reading it
}

// Bounds of what waits for a page before it: mostHeld pages with mostWeight glyphs and paths, which take 200 bytes each.
const (
	mostHeld   = 32
	mostWeight = 400_000
)

// add reads page n and gives the layout those whose turn it is.
func (q *intake) add(n int) error {
	began := time.Now()
	content := q.blank()
	state, err := q.c.readPage(n, content)
	if err != nil {
		return err
	}
	h := heldPage{content: content, state: state, began: began}
	if q.c.wantsOCR(content, state) {
		if q.c.recogniser.available(q.c.options.OCRLanguages) {
			h.wanted, h.read, h.faint = true, q.c.recognise(n), q.c.faint
		} else {
			q.c.found.unavailable = append(q.c.found.unavailable, n)
		}
	}
	h.took = time.Since(began)
	q.held = append(q.held, h)
	q.weight += h.weight()
	for len(q.held) > 0 && (q.held[0].ready() || len(q.held) > mostHeld || q.weight > mostWeight) {
		if err := q.pass(); err != nil {
			return err
		}
	}
	return nil
}

// finish waits for all pages.
func (q *intake) finish() error {
	for len(q.held) > 0 {
		if err := q.pass(); err != nil {
			return err
		}
	}
	return nil
}

func (h heldPage) weight() int { return len(h.content.Glyphs) + len(h.content.Rules) }

// ready reports whether a page need not be waited for.
func (h heldPage) ready() bool {
	if h.read == nil {
		return true
	}
	select {
	case <-h.read.done:
		return true
	default:
		return false
	}
}

// pass gives the first page to the layout, once it has been read, and reports the progress.
func (q *intake) pass() error {
	c, h, began := q.c, q.held[0], time.Now()
	q.held = q.held[1:]
	q.weight -= h.weight()
	if h.wanted {
		if h.read != nil {
			<-h.read.done
		}
		h.state = c.use(h)
	}
	c.found.note(h.content.Number, h.state)
	if err := c.tagging.complete(c.file, h.content); err != nil {
		return err
	}
	q.analyzer.Add(h.content)
	if err := c.drawer.page(h.content.Number); err != nil {
		return err
	}
	q.spare = append(q.spare, h.content)
	q.done++
	now := time.Now()
	t := pageTime{Number: h.content.Number, Began: h.began.Sub(q.began), Took: h.took + now.Sub(began), OCR: h.read != nil}
	if t.OCR {
		t.Took = now.Sub(h.began) // others were read meanwhile
	}
	q.times = append(q.times, t)
	if now.Sub(q.reported) >= progressInterval || q.done == len(c.pages) {
		q.reported = now
		times := q.times
		q.times = q.times[:0]
		return writeFrame(c.server.out, response{Progress: &progress{Done: q.done, Total: len(c.pages), Pages: times}})
	}
	return nil
}

// blank gives content to read the next page into.
func (q *intake) blank() *document.Content {
	if n := len(q.spare); n > 0 {
		content := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return content
	}
	return new(document.Content)
}
