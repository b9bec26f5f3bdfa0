package stamp

import (
	"errors"
	"math"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// Bounds on the page tree.
const (
	maxPages     = 100_000 // as the engine takes at most
	maxTreeDepth = 64      // levels; balanced trees have four
	maxNodes     = 200_000
)

// Page is a page's dictionary with what it inherits.
type Page struct {
	Ref types.IndirectRef
	// Dict is the page's own entries, the caller's to change and to give to Writer.Set.
	Dict types.Dict
	// Resources is its own or inherited resource dictionary, nil when there is none. Do not change it: clone.
	Resources types.Dict
	// box is the visible part of user space: left, bottom, right, top; turns is its rotation clockwise in quarters.
	box   [4]float64
	turns int
}

// handedDown are the entries that pages inherit (ISO 32000-1, 7.7.3.4).
var handedDown = [...]string{"Resources", "MediaBox", "CropBox", "Rotate"}

// readPages lists the pages as PDFium counts them: a kid without Kids is a page, whatever its type says, and one that
// is no dictionary, or cannot be read, takes a page's place without being one.
func (b *Base) readPages() error {
	_, catalog, err := b.Catalog()
	if err != nil {
		return err
	}
	return b.walkPages(catalog["Pages"], make(map[types.IndirectRef]bool), 0)
}

// walkPages lists the pages below a node of the page tree, or the page that o is. seen are the pages so far.
func (b *Base) walkPages(o types.Object, seen map[types.IndirectRef]bool, depth int) error {
	ref, isRef := o.(types.IndirectRef)
	if seen[ref] && len(b.pages) < maxPages {
		b.pages = append(b.pages, o)
		return nil
	}
	d, err := b.Dict(o)
	kids, errKids := b.Array(d["Kids"])
	if err = errors.Join(err, errKids); err != nil && !errors.Is(err, ErrUnreadable) {
		return err
	}
	if kids == nil {
		if len(b.pages) == maxPages {
			return unreadable("more than %d pages", maxPages)
		}
		if !isRef || d == nil {
			o = nil
		}
		b.pages = append(b.pages, o)
		seen[ref] = isRef
		return nil
	}
	if depth == maxTreeDepth || len(b.nodes) == maxNodes {
		return unreadable("page tree")
	}
	if isRef {
		number := ref.ObjectNumber.Value()
		if b.nodes[number] != nil { // a circle: PDFium finds no page there
			b.pages = append(b.pages, nil)
			return nil
		}
		b.nodes[number] = inheritable(d)
	}
	for _, kid := range kids {
		if err := b.walkPages(kid, seen, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// inheritable is what a node of the page tree hands down, and where it inherits from itself.
func inheritable(d types.Dict) types.Dict {
	kept := types.Dict{"Parent": d["Parent"]}
	for _, key := range handedDown {
		if o, ok := d[key]; ok && o != nil {
			kept[key] = o
		}
	}
	return kept
}

// NumPages is the number of pages.
func (b *Base) NumPages() int { return len(b.pages) }

// PageRef is the reference of page n (1-based), false when the tree has none that could be replaced.
func (b *Base) PageRef(n int) (types.IndirectRef, bool) {
	if n < 1 || n > len(b.pages) {
		return types.IndirectRef{}, false
	}
	ref, ok := b.pages[n-1].(types.IndirectRef)
	return ref, ok
}

// Page reads page n (1-based). Its error wraps ErrUnreadable when the page cannot be replaced or read; others may be fine.
func (b *Base) Page(n int) (p Page, err error) {
	defer func() { err = caught(recover(), err) }()
	ref, ok := b.PageRef(n)
	if !ok {
		return Page{}, unreadable("no page %d", n)
	}
	p.Ref = ref
	if p.Dict, err = b.Dict(ref); err != nil {
		return Page{}, err
	}
	if p.Dict == nil {
		return Page{}, unreadable("page %d is no dictionary", n)
	}
	attributes, err := b.inherit(p.Dict)
	if err != nil {
		return Page{}, err
	}
	if p.Resources, err = b.Dict(attributes["Resources"]); err != nil {
		return Page{}, err
	}
	if p.box, err = b.visible(attributes); err != nil {
		return Page{}, err
	}
	turn, err := b.Resolve(attributes["Rotate"])
	if err != nil {
		return Page{}, err
	}
	degrees, _ := number(turn)
	p.turns = int(math.Trunc(math.Mod(degrees/90, 4))+4) % 4
	return p, nil
}

// inherit gives the inheritable attributes of a page.
func (b *Base) inherit(page types.Dict) (types.Dict, error) {
	found := inheritable(page)
	node := found
	for range maxTreeDepth {
		ref, ok := node["Parent"].(types.IndirectRef)
		if !ok {
			break
		}
		number := ref.ObjectNumber.Value()
		if node, ok = b.nodes[number]; !ok {
			d, err := b.Dict(ref)
			if err != nil {
				return nil, err
			}
			node = inheritable(d)
			b.nodes[number] = node
		}
		for _, key := range handedDown {
			if o, ok := node[key]; ok && found[key] == nil {
				found[key] = o
			}
		}
	}
	return found, nil
}

// letter is the page that PDFium makes of one without a usable media box.
var letter = [4]float64{0, 0, 612, 792}

// visible is the part of user space that a page shows: its crop box within its media box.
func (b *Base) visible(attributes types.Dict) ([4]float64, error) {
	media, err := b.rectangle(attributes["MediaBox"])
	if err != nil {
		return letter, err
	}
	if empty(media) {
		media = letter
	}
	crop, err := b.rectangle(attributes["CropBox"])
	if err != nil {
		return letter, err
	}
	if empty(crop) {
		return media, nil
	}
	return [4]float64{max(media[0], crop[0]), max(media[1], crop[1]), min(media[2], crop[2]), min(media[3], crop[3])}, nil
}

func empty(r [4]float64) bool { return r[2] <= r[0] || r[3] <= r[1] }

// rectangle reads a rectangle, its corners put in order; what is none is empty.
func (b *Base) rectangle(o types.Object) (r [4]float64, err error) {
	a, err := b.Array(o)
	if err != nil || len(a) < 4 {
		return r, err
	}
	for i := range r {
		v, err := b.Resolve(a[i])
		if err != nil {
			return r, err
		}
		r[i], _ = number(v)
	}
	return [4]float64{min(r[0], r[2]), min(r[1], r[3]), max(r[0], r[2]), max(r[1], r[3])}, nil
}

// number is the value of a numeric object.
func number(o types.Object) (float64, bool) {
	switch o := o.(type) {
	case types.Integer:
		return float64(o), true
	case types.Float:
		return float64(o), true
	}
	return 0, false
}

// Size is the page's width and height as it is shown, in units of user space.
func (p Page) Size() (width, height float64) {
	width, height = p.box[2]-p.box[0], p.box[3]-p.box[1]
	if p.turns%2 == 1 {
		return height, width
	}
	return width, height
}

// ToUser maps a box of the page as it is shown into its user space: left, bottom, right, top.
func (p Page) ToUser(b document.Box) [4]float64 {
	left, bottom, right, top := p.box[0], p.box[1], p.box[2], p.box[3]
	switch p.turns {
	case 1:
		return [4]float64{left + b.Top, bottom + b.Left, left + b.Bottom, bottom + b.Right}
	case 2:
		return [4]float64{right - b.Right, bottom + b.Top, right - b.Left, bottom + b.Bottom}
	case 3:
		return [4]float64{right - b.Bottom, top - b.Right, right - b.Top, top - b.Left}
	default:
		return [4]float64{left + b.Left, top - b.Bottom, left + b.Right, top - b.Top}
	}
}
