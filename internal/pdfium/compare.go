package pdfium

import (
	"errors"
	"image"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
)

// openPage is the page that Content read last. It stays open, because loading it again takes as long as reading it.
type openPage struct {
	number   int // 0 for none
	page     uint64
	geometry geometry
	objects  map[uint32]place // its text objects, by address
}

// leave closes the open page.
func (f *File) leave() {
	if f.open.number != 0 {
		f.inst.call(fnClosePage, f.open.page)
	}
	f.open = openPage{}
}

// Compare paints parts of page n, which Content has to have read last, with annotations on white: into whole, unless
// that is nil, as they are, into bare without the given text objects (ordinals as of document.Glyph.Object). Each part
// fills its pictures, whatever size these have.
// Faults: Invalid with code too_complex when a picture is too large or the instance broke.
func (f *File) Compare(n int, parts []document.Box, whole, bare []*image.RGBA, without []int32) (err error) {
	defer fault.Op(&err, "pdfium.Compare(%d, %d parts)", n, len(parts))
	if err := f.crashed(); err != nil {
		return err
	}
	if n == 0 || f.open.number != n || whole != nil && len(whole) != len(parts) || len(bare) != len(parts) {
		return errors.New("not the page that was read last, or not a picture a part")
	}
	v := View{file: f, page: f.open.page, geometry: f.open.geometry}
	for k := range whole {
		if err := v.Render(parts[k], whole[k]); err != nil {
			return err
		}
	}
	f.activate(without, false)
	defer f.activate(without, true)
	for k, box := range parts {
		if err := v.Render(box, bare[k]); err != nil {
			return err
		}
	}
	return f.crashed()
}

// activate has text objects of the open page painted or not.
func (f *File) activate(ordinals []int32, active bool) {
	chosen := make(map[int32]bool, len(ordinals))
	for _, o := range ordinals {
		chosen[o] = true
	}
	on := uint64(0)
	if active {
		on = 1
	}
	for address, p := range f.open.objects {
		if chosen[p.ordinal] {
			f.inst.call(fnPageObjSetIsActive, uint64(address), on)
		}
	}
}
