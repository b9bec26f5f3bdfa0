package stamp

import (
	"slices"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// maxAnnotations are looked at on a page.
const maxAnnotations = 10_000

// An annotation is one of a page's, as far as the structure refers to it.
type annotation struct {
	ref   types.IndirectRef
	dict  types.Dict
	index int // in the page's list
	isRef bool
	link  bool
	rect  [4]float64
	node  *node // the element that it belongs to
}

// annotations reads those that belong into the structure: all but pop-ups, which belong to another one, and marks for
// printers (ISO 32000-1, 14.8.4.4.2 and 14.8.2.2).
func (t *tagger) annotations(page Page) ([]*annotation, error) {
	list, err := t.base.Array(page.Dict["Annots"])
	if err != nil {
		return nil, err
	}
	var out []*annotation
	for i, o := range list[:min(len(list), maxAnnotations)] {
		d, err := t.base.Dict(o)
		if err != nil || d == nil {
			continue // one that cannot be read is not shown either
		}
		subtype, err := t.base.Resolve(d["Subtype"])
		if err != nil {
			continue
		}
		name, _ := subtype.(types.Name)
		if name == "" || name == "Popup" || name == "PrinterMark" || name == "TrapNet" {
			continue
		}
		a := &annotation{dict: d, index: i, link: name == "Link"}
		if a.ref, a.isRef = o.(types.IndirectRef); a.isRef && t.writer.IsSet(a.ref) {
			continue // it stands on another page, too
		}
		if a.rect, err = t.base.rectangle(d["Rect"]); err != nil {
			continue
		}
		out = append(out, a)
	}
	return out, nil
}

// addLooseAnnotations makes elements of the annotations that stand in no text, after everything else.
func (p *pageTagger) addLooseAnnotations() {
	for _, a := range p.annots {
		if a.node != nil {
			continue
		}
		a.node = &node{role: "Annot"}
		switch subtype := a.dict["Subtype"]; {
		case a.link:
			a.node.role = "Link"
		case subtype == types.Name("Widget"):
			a.node.role = "Form"
		}
		a.node.kids = []kid{{annot: a}}
		p.kids = append(p.kids, a.node)
	}
}

// writeAnnotations writes the annotations of a page, d, with their way into the structure.
func (p *pageTagger) writeAnnotations(d types.Dict) {
	t := p.tagger
	var list types.Array // a new one where some stood in it and not for themselves
	for _, a := range p.annots {
		if !a.node.kept {
			continue
		}
		a.dict["StructParent"] = types.Integer(t.parents)
		t.entries = append(t.entries, parentEntry{t.parents, a.node.ref})
		t.parents++
		if a.isRef {
			t.writer.Set(a.ref, a.dict)
			continue
		}
		if list == nil {
			old, _ := t.base.Array(d["Annots"]) // it could be read before
			list = slices.Clone(old)
			d["Annots"] = list
		}
		a.ref = t.writer.Add(a.dict)
		list[a.index] = a.ref
	}
}

// A linkFinder knows the glyphs that lie on links.
type linkFinder struct {
	byObject map[int32][]linkPart
}

// A linkPart is a stretch of glyphs and the link that it lies on, nil for none.
type linkPart struct {
	span  document.Span
	annot *annotation
}

// newLinkFinder relates the areas of links to the annotations of a page.
func newLinkFinder(p *pageTagger, links []LinkText) *linkFinder {
	f := &linkFinder{byObject: make(map[int32][]linkPart)}
	for i := range links {
		box := p.page.ToUser(links[i].Box)
		x, y := (box[0]+box[2])/2, (box[1]+box[3])/2
		for _, a := range p.annots {
			if !a.link || x < a.rect[0] || x > a.rect[2] || y < a.rect[1] || y > a.rect[3] {
				continue
			}
			for _, s := range links[i].Spans {
				f.byObject[s.Object] = append(f.byObject[s.Object], linkPart{s, a})
			}
			break
		}
	}
	for _, list := range f.byObject {
		slices.SortStableFunc(list, func(a, b linkPart) int { return int(a.span.From - b.span.From) })
	}
	return f
}

// divide cuts a span where links begin and end.
func (f *linkFinder) divide(s document.Span) []linkPart {
	var out []linkPart
	at := s.From
	for _, l := range f.byObject[s.Object] {
		from, to := max(l.span.From, at), min(l.span.To, s.To)
		if from >= to {
			continue
		}
		if from > at {
			out = append(out, linkPart{document.Span{Object: s.Object, From: at, To: from}, nil})
		}
		out = append(out, linkPart{document.Span{Object: s.Object, From: from, To: to}, l.annot})
		at = to
	}
	if at < s.To {
		out = append(out, linkPart{document.Span{Object: s.Object, From: at, To: s.To}, nil})
	}
	return out
}
