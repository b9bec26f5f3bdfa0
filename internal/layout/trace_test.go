package layout_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/layout"
)

// A trace has every stage, in the coordinates of the page, also where the text runs down.
func TestTrace(t *testing.T) {
	pages, _, err := parseContent(`
page 300 400
text 30 40 10 R "Above the table"
line 30 60 130 60
line 30 80 130 80
line 30 100 130 100
line 30 60 30 100
line 80 60 80 100
line 130 60 130 100
text 35 75 10 R "a"
text 85 75 10 R "b"
text 35 95 10 R "c"
text 85 95 10 R "d"
page 400 300
text 100 50 10 R "Downwards" angle=90
`)
	if err != nil {
		t.Fatal(err)
	}
	var traces []layout.Trace
	a := layout.New(layout.Options{Trace: func(tr layout.Trace) { traces = append(traces, tr) }})
	for i := range pages {
		a.Add(&pages[i])
	}
	if len(traces) != 2 || traces[1].Page != 2 || traces[1].Width != 400 {
		t.Fatalf("%+v", traces)
	}
	count := make(map[layout.TraceLayer]int)
	for _, b := range traces[0].Boxes {
		count[b.Layer]++
	}
	want := map[layout.TraceLayer]int{
		layout.TraceGlyphs: 17, layout.TraceFragments: 5, layout.TraceEdges: 6, layout.TraceTables: 1,
		layout.TraceColumns: 1, layout.TraceLines: 5, layout.TraceBlocks: 2,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("boxes of each layer (-want +got):\n%s", diff)
	}
	page := document.Box{Right: 400, Bottom: 300}
	for _, b := range traces[1].Boxes {
		if b.Box.Intersect(page) != b.Box {
			t.Errorf("%s box %v is not on the page", b.Layer, b.Box)
		}
		if b.Layer == layout.TraceLines && (!strings.Contains(b.Note, "Downwards") || b.Box.Height() < b.Box.Width()) {
			t.Errorf("line %+v, want one that runs down", b)
		}
	}
}
