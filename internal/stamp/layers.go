package stamp

import (
	"fmt"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// addLayers adds an optional-content group for each kind of element that there is, listed below the heading "Ragify", to
// the document's own groups, which keep their order and states. It gives the new OCProperties (ISO 32000-1, 8.11.4.2).
func (a *annotator) addLayers(old types.Object) (types.Dict, error) {
	properties, err := a.base.Dict(old)
	if err != nil {
		return nil, err
	}
	if properties == nil {
		properties = types.Dict{}
	}
	groups, err := a.base.Array(properties["OCGs"])
	if err != nil {
		return nil, err
	}
	config, err := a.base.Dict(properties["D"])
	if err != nil {
		return nil, err
	}
	if config == nil {
		config = types.Dict{}
	}
	order, err := a.base.Array(config["Order"])
	if err != nil {
		return nil, err
	}
	on, err := a.base.Array(config["ON"])
	if err != nil {
		return nil, err
	}
	legend := types.Array{Text("Ragify")}
	for _, look := range looks {
		l := a.layers[look.kind]
		if l == nil {
			continue
		}
		a.w.Set(l.ref, types.Dict{"Type": types.Name("OCG"), "Name": Text(fmt.Sprintf("%s (%d)", look.layer, l.count))})
		groups, legend, on = append(groups, l.ref), append(legend, l.ref), append(on, l.ref)
	}
	properties["OCGs"] = nonNil(groups)
	if len(a.layers) > 0 {
		config["Order"] = append(order, legend)
	}
	if config["BaseState"] == types.Name("OFF") {
		config["ON"] = on
	}
	properties["D"] = config
	return properties, nil
}

// nonNil makes an array of none: a nil one is written as such.
func nonNil(a types.Array) types.Array {
	if a == nil {
		return types.Array{}
	}
	return a
}
