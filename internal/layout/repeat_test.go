package layout_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/option"
)

// What stands equally often in two styles must not be decided by the order in which a map is walked.
func TestSamePageGivesSameDocument(t *testing.T) {
	// The first line is half red. Taken for black, most of the paragraph is in the first font; taken for red, in
	// the other one.
	const content = `
page 400 200
font O Other-Roman
text 50 50 10 R "an upright" color=FF0000
text 105 50 10 R "an upright"
text 50 62 10 O "all of this here is others"
text 50 74 10 R "uprights"
`
	want := analyse(t, content, option.Default())
	for range 50 {
		if diff := cmp.Diff(want, analyse(t, content, option.Default())); diff != "" {
			t.Fatal(diff)
		}
	}
}
