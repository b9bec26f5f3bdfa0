package stamp

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// A rewriter puts marks into a content stream. No operator changes but strings that belong to several elements, which
// are divided; marks that belong to an old structure go.
type rewriter struct {
	page    *pageTagger
	scanner *scanner
	stream  *contentStream
	form    *types.IndirectRef // the form that the stream is of, nil for the page's own
	marked  bool               // some content of it belongs to an element
	// text and image are the numbers of the page's objects before the stream.
	text, image int32

	out      bytes.Buffer
	at       int // in the stream: what is before has been written
	open     bool
	slot     *slot // of the open mark; nil for an artifact
	order    int32 // of what it holds last
	opened   int   // text objects (BT … ET) begun when it was opened
	inText   bool
	texts    int      // begun so far
	spoken   []spoken // of the marks around what is at hand
	lastSlot *slot
	last     int32 // order of the last text
	names    types.Dict
}

// rewrite gives the stream with marks.
func (r *rewriter) rewrite() ([]byte, error) {
	for i := range r.stream.items {
		it := &r.stream.items[i]
		switch it.kind {
		case beginText:
			r.beginText(i)
		case endText:
			r.endText(it)
		case saveState, restore, beginKept, endKept:
			r.copyTo(it.start)
			r.close()
		case beginPlain, endPlain:
			r.drop(it)
		case beginSpoken:
			r.drop(it)
			r.close()
			r.spoken = append(r.spoken, it.spoken)
		case endSpoken:
			r.drop(it)
			r.close()
			r.spoken = r.spoken[:max(len(r.spoken)-1, 0)]
		case pathItem:
			r.copyTo(it.start)
			r.mark(nil, 0, 0)
		case imageItem:
			r.copyTo(it.start)
			r.mark(r.page.claims.images[r.image+it.image], 0, 0)
		case textItem:
			r.showText(it)
		case formItem:
			if err := r.runForm(it); err != nil {
				return nil, err
			}
		}
	}
	r.copyTo(len(r.stream.data))
	r.close()
	return r.out.Bytes(), nil
}

// copyTo writes the stream up to a place.
func (r *rewriter) copyTo(end int) {
	if end > r.at {
		r.out.Write(r.stream.data[r.at:end])
		r.at = end
	}
}

// drop leaves an operation out.
func (r *rewriter) drop(it *item) {
	r.copyTo(it.start)
	r.at = max(r.at, it.end)
	r.out.WriteByte('\n')
}

// close ends the open mark.
func (r *rewriter) close() {
	if r.open {
		r.out.WriteString("\nEMC\n")
		r.open = false
	}
}

// mark makes what follows belong to a slot, nil for an artifact, as the part that is read at the places first up to
// last of the slot. It goes on in the open mark where that ends just before.
func (r *rewriter) mark(s *slot, first, last int32) {
	if r.open && r.slot == s && (s == nil || first >= r.order && first <= r.order+1) {
		r.order = last
		return
	}
	r.close()
	r.open, r.slot, r.order, r.opened = true, s, last, r.texts
	if !r.inText {
		r.opened = -1
	}
	if s == nil {
		r.out.WriteString("\n/Artifact BMC\n")
		return
	}
	id := len(r.page.owners)
	r.page.owners, r.marked = append(r.page.owners, s.owner), true
	s.marks = append(s.marks, markedContent{first, int32(id), r.form})
	role, properties := s.owner.mark(), ""
	if n := len(r.spoken); n > 0 {
		role, properties = "Span", r.spoken[n-1].take()
	}
	fmt.Fprintf(&r.out, "\n/%s<</MCID %d%s>>BDC\n", role, id, properties)
}

// beginText handles BT. Where all text up to ET is for one slot, the mark goes around it and may go on after it.
func (r *rewriter) beginText(at int) {
	it := &r.stream.items[at]
	r.copyTo(it.start)
	if s, first, ok := r.alone(at + 1); ok {
		r.mark(s, first, first)
	} else {
		r.close()
	}
	r.inText = true
	r.texts++
}

// alone reports whether everything from an item on up to the next ET can stand in one mark, in whose, and at which
// place of it.
func (r *rewriter) alone(at int) (s *slot, first int32, ok bool) {
	last := int32(0)
	for k := at; k < len(r.stream.items); k++ {
		it := &r.stream.items[k]
		switch it.kind {
		case endText:
			return s, first, ok
		case textItem:
			object := r.text + it.text
			if len(r.page.claims.texts[object]) == 0 && r.page.claims.blank(object) {
				continue
			}
			own, from, to, whole := r.page.claims.whole(object)
			if !whole || ok && (own != s || s != nil && from != last+1) {
				return nil, 0, false
			}
			if !ok {
				s, first, ok = own, from, true
			}
			last = to
		default:
			return nil, 0, false
		}
	}
	return nil, 0, false
}

// endText handles ET: a mark that began after BT ends before it.
func (r *rewriter) endText(it *item) {
	r.copyTo(it.start)
	if r.open && r.opened >= 0 {
		r.close()
	}
	r.inText = false
}

// showText handles a text object.
func (r *rewriter) showText(it *item) {
	r.copyTo(it.start)
	object := r.text + it.text
	segments := r.page.claims.segments(object, r.codes(it, object))
	switch {
	case len(segments) == 0 && r.page.claims.blank(object):
		r.mark(r.lastSlot, r.last, r.last) // a space belongs to what it follows
		return
	case len(segments) == 0:
		r.mark(nil, 0, 0)
		r.lastSlot, r.last = nil, 0
		return
	case len(segments) == 1:
		r.mark(segments[0].slot, segments[0].order, segments[0].last)
	default:
		r.divide(it, segments)
	}
	end := segments[len(segments)-1]
	r.lastSlot, r.last = end.slot, end.last
}

// codes gives the character codes of a text object that several slots claim; nil when they are not known.
func (r *rewriter) codes(it *item, object int32) []uint32 {
	if _, _, _, ok := r.page.claims.whole(object); ok || it.width == 0 {
		return nil
	}
	t := tokenizer{data: r.stream.data[it.start:it.end]}
	op, _ := t.next()
	var out []uint32
	for _, a := range shown(op) {
		s := a.decoded(t.data)
		for ; len(s) >= int(it.width); s = s[it.width:] {
			code := uint32(s[0])
			if it.width == 2 {
				code = code<<8 | uint32(s[1])
			}
			out = append(out, code)
		}
		if len(s) > 0 {
			return nil
		}
	}
	return out
}

// shown gives the operands that text is shown with: strings and, between them, numbers.
func shown(op operation) []token {
	if string(op.name) == "TJ" {
		return op.args
	}
	return op.args[max(len(op.args)-1, 0):]
}

// divide writes a text object as several, each in its mark. The new ones show the same codes at the same places.
func (r *rewriter) divide(it *item, segments []segment) {
	t := tokenizer{data: r.stream.data[it.start:it.end]}
	op, _ := t.next()
	r.at = it.end
	number := func(k int) []byte { return t.data[op.args[k].start:op.args[k].end] }
	switch n := len(op.args); {
	case string(op.name) == `"` && n >= 3: // ISO 32000-1, table 109
		fmt.Fprintf(&r.out, "\n%s Tw %s Tc T*\n", number(n-3), number(n-2))
	case string(op.name) == "'", string(op.name) == `"`:
		r.out.WriteString("\nT*\n")
	}
	var list bytes.Buffer // the operands of the TJ at hand
	at, k := int32(0), 0
	flush := func() {
		r.mark(segments[k].slot, segments[k].order, segments[k].last)
		fmt.Fprintf(&r.out, "[%s]TJ\n", list.Bytes())
		list.Reset()
	}
	for _, a := range shown(op) {
		switch a.kind {
		case numberToken:
			list.Write(t.data[a.start:a.end])
			list.WriteByte(' ')
		case literalToken, hexToken:
			codes := a.decoded(t.data)
			for width := int32(it.width); len(codes) > 0; {
				if k+1 < len(segments) && at >= segments[k].to {
					flush()
					k++
				}
				n := int32(len(codes)) / width
				if k+1 < len(segments) {
					n = min(n, segments[k].to-at)
				}
				if n <= 0 { // a string that ends within a code
					n = 1
				}
				bytes := min(int(n*width), len(codes))
				fmt.Fprintf(&list, "<%s>", hex.EncodeToString(codes[:bytes]))
				codes, at = codes[bytes:], at+n
			}
		}
	}
	flush()
}

// runForm handles a form: marked as a whole where it paints for one slot or nobody, else taken apart in a copy.
func (r *rewriter) runForm(it *item) error {
	r.copyTo(it.start)
	text, image := r.text+it.text, r.image+it.image
	s, first, last, mixed := r.page.claims.inForm(text, image, it.form)
	if !mixed {
		r.mark(s, first, last)
		return nil
	}
	r.close()
	name, err := r.copyForm(it, text, image)
	if err != nil {
		return err
	}
	r.at = it.end
	fmt.Fprintf(&r.out, "\n/%s Do\n", name)
	return nil
}

// copyForm writes a copy of a form with marks of its own, and gives its name among the resources of the stream.
func (r *rewriter) copyForm(it *item, text, image int32) (string, error) {
	base := r.scanner.base
	scan := contentScan{scanner: r.scanner, stream: r.stream}
	ref, err := scan.resource("XObject", it.name)
	if err != nil {
		return "", err
	}
	o, err := base.Resolve(ref)
	if err != nil {
		return "", err
	}
	form, ok := o.(types.StreamDict)
	if !ok {
		return "", unreadable("form %q", it.name)
	}
	number := ref.(types.IndirectRef).ObjectNumber.Value() // or it would have no counts
	r.scanner.active[number] = true
	inner, err := r.scanner.form(form, len(r.scanner.active))
	if err != nil {
		return "", err
	}
	var copied types.IndirectRef
	w := rewriter{
		page: r.page, scanner: r.scanner, stream: inner, text: text, image: image,
		form: &copied,
	}
	data, err := w.rewrite()
	if err != nil {
		return "", err
	}
	delete(r.scanner.active, number)
	d := maps.Clone(form.Dict)
	for _, key := range []string{"Length", "Filter", "DecodeParms", "StructParent"} {
		delete(d, key)
	}
	if w.marked {
		d["StructParents"] = types.Integer(r.page.parents())
	} else {
		delete(d, "StructParents")
	}
	if w.names != nil {
		if d["Resources"], err = with(base, inner.resources, "XObject", w.names); err != nil {
			return "", err
		}
	}
	copied = r.page.tagger.writer.AddStream(d, data)
	if r.names == nil {
		r.names = make(types.Dict)
	}
	existing, err := base.Dict(r.stream.resources["XObject"])
	if err != nil {
		return "", err
	}
	for n := len(r.names); ; n++ {
		name := "Tagged" + strconv.Itoa(n)
		if _, taken := existing[name]; !taken && r.names[name] == nil {
			r.names[name] = copied
			return name, nil
		}
	}
}

// with is a resource dictionary with more entries of a category.
func with(b *Base, resources types.Dict, category string, more types.Dict) (types.Dict, error) {
	old, err := b.Dict(resources[category])
	if err != nil {
		return nil, err
	}
	all := make(types.Dict, len(old)+len(more))
	maps.Copy(all, old)
	maps.Copy(all, more)
	out := make(types.Dict, len(resources)+1)
	maps.Copy(out, resources)
	out[category] = all
	return out, nil
}
