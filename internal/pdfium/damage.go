package pdfium

import (
	"bytes"
	"io"
	"regexp"
	"strconv"
)

// The bounds of the check. It looks at what PDFium needs to find its way, not at the whole file.
const (
	headWindow    = 1024 // bytes at the start in which readers look for the header
	tailWindow    = 4096 // bytes at the end in which PDFium looks for startxref
	dictWindow    = 4096 // bytes of a trailer or cross-reference stream's dictionary: they have a dozen entries
	objectWindow  = 64   // bytes in which an object's number and keyword have to be, after white space
	maxSections   = 1000 // sections of cross-reference information: one more for each time that a file was saved
	checkedOffset = 100  // entries whose objects are looked for: a table that is wrong is wrong from the start
	entrySize     = 20   // bytes of an entry in a table (PDF 32000-2, 7.5.4)
)

// Repaired reports whether the cross-reference information of the file leads nowhere: no startxref, no table or stream
// where it points, sections in a circle, entries without their objects (PDF 32000-2, 7.5.4 to 7.5.8). PDFium opens such
// a file by searching it for objects, and keeps to itself that it did: what was lost then is missing without a trace.
func (f *File) Repaired() bool {
	r, ok := f.inst.readers[f.id]
	return ok && damagedReferences(r, f.size)
}

// damagedReferences reports whether the cross-reference information of the PDF in src, size bytes long, leads nowhere.
func damagedReferences(src io.ReaderAt, size int64) bool {
	c := crossReferences{src: src, size: size, unchecked: checkedOffset}
	header := int64(bytes.Index(c.read(0, headWindow), []byte("%PDF-")))
	next, ok := c.start()
	if !ok || header < 0 {
		return true
	}
	// Offsets count from the header (PDF 32000-2, 7.5.2); where something was put before it without being told, from
	// where it was. Either way everything is in its place.
	if c.base = header; !c.section(next) {
		c.base = 0
	}
	seen := make(map[int64]bool)
	for range maxSections {
		if seen[next] || !c.section(next) {
			return true
		}
		seen[next] = true
		previous, err := strconv.ParseInt(string(firstGroup(previousSection, c.dict)), 10, 64)
		if err != nil || previous == 0 {
			return false
		}
		next = previous
	}
	return false
}

// crossReferences walks through the cross-reference sections of a file.
type crossReferences struct {
	src       io.ReaderAt
	size      int64
	base      int64  // what the file's offsets count from
	unchecked int    // entries that are still to be checked
	dict      []byte // of the section at hand, or its beginning; until the next read
	buffer    [dictWindow]byte
}

// The syntax that is looked for. White space is that of PDF 32000-2, 7.2.3.
var (
	lastStart       = regexp.MustCompile(`(?s)^.*startxref[\x00\t\n\f\r ]+([0-9]{1,15})`)
	previousSection = regexp.MustCompile(`/Prev[\x00\t\n\f\r ]+([0-9]{1,15})`)
	objectHead      = regexp.MustCompile(`^[\x00\t\n\f\r ]*([0-9]{1,10})[\x00\t\n\f\r ]+[0-9]{1,10}[\x00\t\n\f\r ]+obj`)
	tableHead       = regexp.MustCompile(`^[\x00\t\n\f\r ]*xref[\x00\t\n\f\r ]+`)
	subsection      = regexp.MustCompile(`^[\x00\t\n\f\r ]*([0-9]{1,10})[\x00\t\n\f\r ]+([0-9]{1,10})[\x00\t\n\f\r ]*`)
	trailerHead     = regexp.MustCompile(`^[\x00\t\n\f\r ]*trailer`)
	entry           = regexp.MustCompile(`^([0-9]{10}) [0-9]{5} ([nf])[ \r\n]{2}$`)
)

// firstGroup is the first group of pattern's first match in b, nil when there is none.
func firstGroup(pattern *regexp.Regexp, b []byte) []byte {
	if m := pattern.FindSubmatch(b); m != nil {
		return m[1]
	}
	return nil
}

// read gives up to n bytes, at most dictWindow, at an offset in the file, fewer at its end and none outside of it. They
// are good until the next read.
func (c *crossReferences) read(offset int64, n int) []byte {
	if offset < 0 || offset >= c.size {
		return nil
	}
	b := c.buffer[:min(int64(n), c.size-offset)]
	got, err := c.src.ReadAt(b, offset)
	if err != nil && err != io.EOF {
		return nil
	}
	return b[:got]
}

// start is where the newest section is, as the end of the file says.
func (c *crossReferences) start() (offset int64, ok bool) {
	tail := c.read(max(0, c.size-tailWindow), tailWindow)
	offset, err := strconv.ParseInt(string(firstGroup(lastStart, tail)), 10, 64)
	return offset, err == nil
}

// section checks the section at an offset and keeps its dictionary.
func (c *crossReferences) section(offset int64) bool {
	at := c.base + offset
	head := c.read(at, objectWindow)
	if table := tableHead.Find(head); table != nil {
		return c.table(at + int64(len(table)))
	}
	if !objectHead.Match(head) {
		return false
	}
	c.dict, _, _ = bytes.Cut(c.read(at, dictWindow), []byte("stream"))
	return bytes.Contains(c.dict, []byte("/XRef"))
}

// table checks the subsections from at on and the trailer behind them.
func (c *crossReferences) table(at int64) bool {
	for {
		head := c.read(at, objectWindow)
		if trailer := trailerHead.Find(head); trailer != nil {
			c.dict, _, _ = bytes.Cut(c.read(at+int64(len(trailer)), dictWindow), []byte("startxref"))
			return true
		}
		m := subsection.FindSubmatch(head)
		if m == nil {
			return false
		}
		at += int64(len(m[0]))
		first, errFirst := strconv.ParseInt(string(m[1]), 10, 64)
		count, errCount := strconv.ParseInt(string(m[2]), 10, 64)
		if errFirst != nil || errCount != nil || count*entrySize > c.size-at || !c.entries(at, first, count) {
			return false
		}
		at += count * entrySize
	}
}

// entries checks that the count entries at an offset, of the objects from first on, lead to their objects.
func (c *crossReferences) entries(at, first, count int64) bool {
	checked := min(count, int64(c.unchecked))
	c.unchecked -= int(checked)
	for i := range checked {
		m := entry.FindSubmatch(c.read(at+i*entrySize, entrySize))
		if m == nil {
			return false
		}
		offset, err := strconv.ParseInt(string(m[1]), 10, 64)
		if err != nil {
			return false
		}
		if free := m[2][0] == 'f'; free || offset == 0 { // a free one; some programs say so with the offset alone
			continue
		}
		number := firstGroup(objectHead, c.read(c.base+offset, objectWindow))
		if n, err := strconv.ParseInt(string(number), 10, 64); err != nil || n != first+i {
			return false
		}
	}
	return true
}
