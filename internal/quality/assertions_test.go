package main

import "testing"

func TestAssertions(t *testing.T) {
	const text = "# The Fox\n\nThe **quick** brown fox’s den\\.\n\nA [link](https://example.org) and the end 17\n"
	for _, c := range []struct {
		name string
		a    assertion
		want bool
	}{
		{"present over a line end and without marks", assertion{Type: "present", Text: "The Fox The quick brown fox's den."}, true},
		{"present with its capitals only", assertion{Type: "present", Text: "the fox the quick"}, false},
		{"absent whatever its capitals", assertion{Type: "absent", Text: "THE QUICK"}, false},
		{"absent in the last characters", assertion{Type: "absent", Text: "17", LastN: 5}, false},
		{"absent in the first characters", assertion{Type: "absent", Text: "17", FirstN: 5}, true},
		{"present with few differences", assertion{Type: "present", Text: "quikc brown", MaxDiffs: 2}, true},
		{"not with more differences", assertion{Type: "present", Text: "quikc brown", MaxDiffs: 1}, false},
		{"order", assertion{Type: "order", Before: "quick", After: "link"}, true},
		{"order the other way round", assertion{Type: "order", Before: "link", After: "quick"}, false},
		{"order needs both", assertion{Type: "order", Before: "quick", After: "slow"}, false},
		{"baseline", assertion{Type: "baseline", MaxLength: 10}, false},
	} {
		if got, known := c.a.holds(shownText(text)); got != c.want || !known {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if _, known := (&assertion{Type: "math"}).holds("x"); known {
		t.Error("formulas are not looked at")
	}
}
