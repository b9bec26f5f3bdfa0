// Package stamp adds to PDF files without touching what is in them: boxes and layers that show a document's elements
// (Annotate), and whatever else is built on its two parts:
//
//   - Base reads a PDF as PDFium saved it (pdfium.File.SaveDecrypted): one cross-reference table, no object streams, no
//     encryption, all generations 0. Objects are read from the file one at a time when they are asked for, so memory
//     does not grow with the file; pdfcpu parses them.
//   - Writer appends to it: first the base, byte for byte, then new and replaced objects as they come, at the end a
//     cross-reference table and a trailer that continue the base's (ISO 32000-1, 7.5.6).
//
// A typical use:
//
//	base, err := stamp.Open(file, size)
//	w, err := base.NewWriter(out)             // copies the base
//	page, err := base.Page(3)                 // with what it inherits
//	ref := w.AddStream(types.Dict{…}, data)   // compressed
//	page.Dict["Contents"] = ref
//	w.Set(page.Ref, page.Dict)                // replaces the page's object
//	err = w.Close()                           // table, trailer; the first error of all calls
//
// The files come from strangers: counts, sizes and depths are bounded, and a panic of pdfcpu becomes an error.
package stamp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sort"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Bounds on what is read from a file.
const (
	// maxObjects is PDFium's own limit: it numbers no object higher.
	maxObjects = 1 << 22
	// maxObjectSize bounds an object without its stream, in bytes: some fifty times a page tree with 10,000 pages in
	// one node. Parsed, an object takes up to twenty times as much memory.
	maxObjectSize = 8 << 20
	// maxStreamSize bounds the encoded bytes of one stream that is read. Only content is ever read, never pictures.
	maxStreamSize = 64 << 20
	// maxReferences bounds a chain of references to references.
	maxReferences = 32
)

// ErrUnreadable is wrapped by the errors that blame the file, as against those of reading and writing. They say nothing
// of what is in the file: pdfcpu's own do, and these are logged.
var ErrUnreadable = errors.New("unreadable PDF structure")

func unreadable(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnreadable, fmt.Sprintf(format, args...))
}

// Base is a PDF that PDFium saved, for reading. It is not safe for concurrent use; any number of Writers may be made of
// one, one after the other or at the same time.
type Base struct {
	src     io.ReaderAt
	size    int64
	xref    int64      // offset of the cross-reference table
	offsets []int64    // by object number, 0 for none
	order   []int64    // the same, ascending, and xref: where objects end
	trailer types.Dict // of the base
	pages   []types.Object
	nodes   map[int]types.Dict // what nodes of the page tree hand down, by object number
}

// Open reads the cross-reference table and the page tree of a PDF of size bytes. Errors that wrap ErrUnreadable blame
// the file; others come from src.
func Open(src io.ReaderAt, size int64) (b *Base, err error) {
	defer func() { err = caught(recover(), err) }()
	b = &Base{src: src, size: size, nodes: make(map[int]types.Dict)}
	if err := b.readTable(); err != nil {
		return nil, fmt.Errorf("stamp.Open: %w", err)
	}
	if err := b.readPages(); err != nil {
		return nil, fmt.Errorf("stamp.Open: %w", err)
	}
	return b, nil
}

// caught is err, or an error that blames the file for a panic of pdfcpu's, given what recover gave.
func caught(panicked any, err error) error {
	switch p := panicked.(type) {
	case nil:
		return err
	case runtime.Error:
		return unreadable("panic: %v", p)
	default:
		return unreadable("panic")
	}
}

// tailSize is how far from its end a file is searched for "startxref", in bytes; PDFium writes it at the very end.
const tailSize = 1024

// readTable reads the cross-reference table and the trailer.
func (b *Base) readTable() error {
	tail := make([]byte, min(b.size, tailSize))
	if _, err := b.src.ReadAt(tail, b.size-int64(len(tail))); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, after, found := cutLast(tail, []byte("startxref"))
	fields := bytes.Fields(after)
	if !found || len(fields) == 0 {
		return unreadable("no startxref")
	}
	var err error
	if b.xref, err = strconv.ParseInt(string(fields[0]), 10, 64); err != nil || b.xref < 0 || b.xref >= b.size {
		return unreadable("startxref outside the file")
	}
	table := make([]byte, b.size-b.xref)
	if int64(len(table)) > maxObjects*entrySize+maxObjectSize {
		return unreadable("cross-reference table of %d bytes", len(table))
	}
	if _, err := b.src.ReadAt(table, b.xref); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	rest, err := b.parseTable(table)
	if err != nil {
		return err
	}
	text := string(rest)
	trailer, err := model.ParseObject(&text)
	if err != nil {
		return unreadable("trailer")
	}
	var ok bool
	if b.trailer, ok = trailer.(types.Dict); !ok {
		return unreadable("trailer is no dictionary")
	}
	if b.trailer.HasEntry("Encrypt") || b.trailer.HasEntry("Prev") {
		return unreadable("not a decrypted copy in one piece")
	}
	b.order = append(b.order, b.xref)
	slices.Sort(b.order)
	return nil
}

// entrySize is the length of an entry of a cross-reference table, its end of line included (ISO 32000-1, 7.5.4).
const entrySize = 20

// parseTable reads the table's sections and gives what follows the word "trailer".
func (b *Base) parseTable(table []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(table, "\r\n "), []byte("xref"))
	if !ok {
		return nil, unreadable("no cross-reference table")
	}
	for {
		rest = bytes.TrimLeft(rest, "\r\n ")
		if after, ok := bytes.CutPrefix(rest, []byte("trailer")); ok {
			return after, nil
		}
		var first, count int
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if n, err := fmt.Sscanf(string(line), "%d %d", &first, &count); !ok || err != nil || n != 2 {
			return nil, unreadable("cross-reference section")
		}
		if first < 0 || count < 0 || first > maxObjects || count > maxObjects-first || count > len(after)/entrySize {
			return nil, unreadable("cross-reference section of %d objects", count)
		}
		if grow := first + count - len(b.offsets); grow > 0 {
			b.offsets = append(b.offsets, make([]int64, grow)...)
		}
		for k := range count {
			entry := after[k*entrySize:][:entrySize]
			if entry[17] != 'n' {
				continue
			}
			offset, err := strconv.ParseInt(string(entry[:10]), 10, 64)
			if err != nil || offset <= 0 || offset >= b.xref {
				return nil, unreadable("offset of object %d", first+k)
			}
			b.offsets[first+k] = offset
			b.order = append(b.order, offset)
		}
		rest = after[count*entrySize:]
	}
}

// Object reads the object of that number: nil, as a reference to nothing stands for, when there is none. A stream is a
// types.StreamDict without its data, which Stream reads. The object is the caller's to change.
func (b *Base) Object(number int) (o types.Object, err error) {
	defer func() { err = caught(recover(), err) }()
	if number < 0 || number >= len(b.offsets) || b.offsets[number] == 0 {
		return nil, nil
	}
	start := b.offsets[number]
	end := b.order[sort.Search(len(b.order), func(i int) bool { return b.order[i] > start })]
	// Most objects are short, and what makes others long is mostly the data of a stream.
	for size := int64(1 << 10); ; size *= 8 {
		size = min(size, end-start, maxObjectSize)
		head := make([]byte, size)
		if _, err := b.src.ReadAt(head, start); err != nil {
			return nil, err
		}
		o, ok := parseObject(head, number, start)
		switch {
		case ok:
			return o, nil
		case size == end-start:
			return nil, unreadable("object %d", number)
		case size == maxObjectSize:
			return nil, unreadable("object %d is too large", number)
		}
	}
}

// parseObject parses an indirect object from its beginning, which lies at start in the file: false when it is none, or
// head ends too early.
func parseObject(head []byte, number int, start int64) (types.Object, bool) {
	prefix, body, ok := bytes.Cut(head, []byte("obj"))
	if fields := bytes.Fields(prefix); !ok || len(fields) != 2 || string(fields[0]) != strconv.Itoa(number) {
		return nil, false
	}
	rest := string(body)
	o, err := model.ParseObject(&rest)
	if err != nil {
		return nil, false
	}
	after := bytes.TrimLeft([]byte(rest), "\r\n\t \x00\f")
	if bytes.HasPrefix(after, []byte("endobj")) {
		return o, true
	}
	dict, isDict := o.(types.Dict)
	data, isStream := bytes.CutPrefix(after, []byte("stream"))
	if !isDict || !isStream || len(data) < 2 {
		return nil, false
	}
	switch {
	case data[0] == '\r' && data[1] == '\n':
		data = data[2:]
	case data[0] == '\n':
		data = data[1:]
	}
	return types.NewStreamDict(dict, start+int64(len(head)-len(data)), nil, nil, nil), true
}

// Resolve follows references: what comes back is none, and nil for one that leads nowhere.
func (b *Base) Resolve(o types.Object) (types.Object, error) {
	for range maxReferences {
		ref, ok := o.(types.IndirectRef)
		if !ok {
			return o, nil
		}
		var err error
		if o, err = b.Object(ref.ObjectNumber.Value()); err != nil {
			return nil, err
		}
	}
	return nil, unreadable("references in a circle")
}

// Dict is the dictionary that o is or refers to, also that of a stream; nil when it is something else.
func (b *Base) Dict(o types.Object) (types.Dict, error) {
	o, err := b.Resolve(o)
	switch o := o.(type) {
	case types.Dict:
		return o, err
	case types.StreamDict:
		return o.Dict, err
	}
	return nil, err
}

// Array is the array that o is or refers to; nil when it is something else.
func (b *Base) Array(o types.Object) (types.Array, error) {
	o, err := b.Resolve(o)
	a, _ := o.(types.Array)
	return a, err
}

// Stream decodes the data of a stream, given as such or by reference; at most limit bytes may come of it, or it is an
// error. nil when o is no stream.
func (b *Base) Stream(o types.Object, limit int64) (data []byte, err error) {
	defer func() { err = caught(recover(), err) }()
	if o, err = b.Resolve(o); err != nil {
		return nil, err
	}
	s, ok := o.(types.StreamDict)
	if !ok {
		return nil, nil
	}
	length, err := b.Resolve(s.Dict["Length"])
	if err != nil {
		return nil, err
	}
	n, ok := length.(types.Integer)
	if !ok || n < 0 || int64(n) > b.xref-s.StreamOffset || n > maxStreamSize {
		return nil, unreadable("length of a stream")
	}
	if s.FilterPipeline, err = b.filters(s.Dict); err != nil {
		return nil, err
	}
	s.Raw = make([]byte, n)
	if _, err := b.src.ReadAt(s.Raw, s.StreamOffset); err != nil {
		return nil, err
	}
	if len(s.FilterPipeline) == 0 {
		if int64(n) > limit {
			return nil, unreadable("stream of %d bytes", n)
		}
		return s.Raw, nil
	}
	if err := s.DecodeWithLimit(limit); err != nil {
		return nil, unreadable("filter of a stream")
	}
	return s.Content, nil
}

// filters is how a stream is encoded, outermost first.
func (b *Base) filters(d types.Dict) ([]types.PDFFilter, error) {
	names, err := b.list(d["Filter"])
	if err != nil {
		return nil, err
	}
	parms, err := b.list(d["DecodeParms"])
	if err != nil {
		return nil, err
	}
	var pipeline []types.PDFFilter
	for k := range names {
		name, err := b.Resolve(names[k])
		if err != nil {
			return nil, err
		}
		n, ok := name.(types.Name)
		if !ok {
			return nil, unreadable("filter without a name")
		}
		f := types.PDFFilter{Name: string(n)}
		if k < len(parms) {
			if f.DecodeParms, err = b.Dict(parms[k]); err != nil {
				return nil, err
			}
		}
		pipeline = append(pipeline, f)
	}
	return pipeline, nil
}

// list is o's elements, or o alone when it is no array, or nothing.
func (b *Base) list(o types.Object) ([]types.Object, error) {
	o, err := b.Resolve(o)
	switch o := o.(type) {
	case nil:
		return nil, err
	case types.Array:
		return o, err
	default:
		return []types.Object{o}, err
	}
}

// Catalog is the document's root object, and its reference: replace it to change it. The permissions that signatures
// gave (ISO 32000-1, 12.8.4) are left out: they do not hold for a changed file, and readers complain about them.
func (b *Base) Catalog() (types.IndirectRef, types.Dict, error) {
	ref, ok := b.trailer["Root"].(types.IndirectRef)
	if !ok {
		return ref, nil, unreadable("no root")
	}
	d, err := b.Dict(ref)
	if err == nil && d == nil {
		err = unreadable("no catalogue")
	}
	delete(d, "Perms")
	return ref, d, err
}

// cutLast is bytes.Cut around the last sep.
func cutLast(s, sep []byte) (before, after []byte, found bool) {
	if i := bytes.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, nil, false
}
