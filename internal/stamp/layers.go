package stamp

import (
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"

	"github.com/ragify/ragify/internal/document"
)

// addLayers adds an optional-content group for each kind of element that there is, listed below the heading "Ragify", to
// the document's own groups, which keep their order and states. It gives the new OCProperties (ISO 32000-1, 8.11.4.2).
func (a *annotator) addLayers(old types.Object, counts map[document.Kind]int) (types.Dict, map[document.Kind]types.IndirectRef, error) {
	properties, err := a.base.Dict(old)
	if err != nil {
		return nil, nil, err
	}
	if properties == nil {
		properties = types.Dict{}
	}
	groups, err := a.base.Array(properties["OCGs"])
	if err != nil {
		return nil, nil, err
	}
	config, err := a.base.Dict(properties["D"])
	if err != nil {
		return nil, nil, err
	}
	if config == nil {
		config = types.Dict{}
	}
	order, err := a.base.Array(config["Order"])
	if err != nil {
		return nil, nil, err
	}
	on, err := a.base.Array(config["ON"])
	if err != nil {
		return nil, nil, err
	}
	layers := make(map[document.Kind]types.IndirectRef)
	legend := types.Array{Text("Ragify")}
	for _, look := range looks {
		n := counts[look.kind]
		if n == 0 {
			continue
		}
		layer := a.w.Add(types.Dict{"Type": types.Name("OCG"), "Name": Text(fmt.Sprintf("%s (%d)", look.layer, n))})
		layers[look.kind] = layer
		groups, legend, on = append(groups, layer), append(legend, layer), append(on, layer)
	}
	properties["OCGs"] = nonNil(groups)
	if len(layers) > 0 {
		config["Order"] = append(order, legend)
	}
	if config["BaseState"] == types.Name("OFF") {
		config["ON"] = on
	}
	properties["D"] = config
	return properties, layers, nil
}

// nonNil makes an array of none: a nil one is written as such.
func nonNil(a types.Array) types.Array {
	if a == nil {
		return types.Array{}
	}
	return a
}
