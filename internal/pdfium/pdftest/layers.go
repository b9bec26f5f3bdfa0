package pdftest

import "fmt"

// A Layer is an optional content group.
type Layer struct{ id int } // object number

type layer struct {
	name string
	on   bool
}

// Layer adds an optional content group that is shown or not by default.
func (b *Builder) Layer(name string, on bool) Layer {
	b.layers = append(b.layers, layer{name, on})
	return Layer{firstFont + len(fonts) + len(b.layers) - 1}
}

// OnLayer puts what show adds to the page's content on a layer.
func (p *Page) OnLayer(l Layer, show func()) {
	p.layers[l.id] = true
	p.Raw(fmt.Sprintf("/OC /L%d BDC", l.id))
	show()
	p.Raw("EMC")
}

// FormOnLayer runs the given operators as a form XObject that is on a layer itself.
func (p *Page) FormOnLayer(l Layer, operators string) {
	p.form([6]float64{1, 0, 0, 1, 0, 0}, " "+l.Entry(), operators)
}

// writeLayers adds the groups, right after the fonts.
func (b *Builder) writeLayers(w *writer) {
	for _, l := range b.layers {
		w.object(w.reserve(), "<< /Type /OCG /Name "+text(l.name)+" >>")
	}
}

// layerEntries are those of the catalogue.
func (b *Builder) layerEntries() string {
	if len(b.layers) == 0 {
		return ""
	}
	all, off := "", ""
	for i, l := range b.layers {
		ref := fmt.Sprintf("%d 0 R ", firstFont+len(fonts)+i)
		all += ref
		if !l.on {
			off += ref
		}
	}
	return fmt.Sprintf(" /OCProperties << /OCGs [ %s] /D << /OFF [ %s] >> >>", all, off)
}
