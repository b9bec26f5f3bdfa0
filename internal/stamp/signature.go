package stamp

import (
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// mostFields bounds the form fields that are looked at.
const mostFields = 10_000

// Signed reports whether the document carries a digital signature (ISO 32000-1, 12.8): saved anew, it is no longer valid.
// What cannot be read is not signed.
func (b *Base) Signed() bool {
	_, catalog, err := b.Catalog()
	if err != nil {
		return false
	}
	form, err := b.Dict(catalog["AcroForm"])
	if err != nil {
		return false
	}
	fields, _ := b.Array(form["Fields"]) // nil is none
	return b.signed(fields, nil, make(map[types.IndirectRef]bool), maxTreeDepth)
}

// signed looks for a signature field with a value. kind is the fields' inherited type, seen are those looked at.
func (b *Base) signed(fields types.Array, kind types.Object, seen map[types.IndirectRef]bool, depth int) bool {
	for _, f := range fields {
		ref, ok := f.(types.IndirectRef)
		if !ok || seen[ref] || len(seen) == mostFields || depth == 0 {
			continue
		}
		seen[ref] = true
		field, err := b.Dict(f)
		if err != nil || field == nil {
			continue
		}
		of := kind
		if own, err := b.Resolve(field["FT"]); err == nil && own != nil {
			of = own
		}
		if value, err := b.Dict(field["V"]); of == types.Name("Sig") && err == nil && value != nil {
			return true
		}
		kids, _ := b.Array(field["Kids"]) // nil is none
		if b.signed(kids, of, seen, depth-1) {
			return true
		}
	}
	return false
}
