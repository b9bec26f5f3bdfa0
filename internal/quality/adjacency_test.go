package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sortRelations: relations are a set.
var sortRelations = cmpopts.SortSlices(func(a, b relation) bool {
	if a.from != b.from {
		return a.from < b.from
	}
	if a.to != b.to {
		return a.to < b.to
	}
	return !a.down && b.down
})

func TestRelationsJoinNearestCellsWithText(t *testing.T) {
	cells := cellsOf([][]string{{"a", "", "b"}, {"", "c", ""}, {"d", "e", "f"}})
	want := []relation{
		{"a", "b", false}, {"d", "e", false}, {"e", "f", false}, // blanks are passed over
		{"a", "d", true}, {"c", "e", true}, {"b", "f", true},
	}
	if diff := cmp.Diff(want, relations(cells), sortRelations, cmp.AllowUnexported(relation{})); diff != "" {
		t.Error(diff)
	}
}

func TestRelationsCountEachNeighbourOfMergedCellsOnce(t *testing.T) {
	cells := []cell{
		{0, 0, 1, 0, "side"},
		{0, 1, 0, 2, "head"},
		{1, 1, 1, 1, "x"},
		{1, 2, 1, 2, "y"},
		{2, 0, 2, 2, "foot"},
	}
	want := []relation{
		{"side", "head", false},
		{"side", "x", false},
		{"x", "y", false},
		{"head", "x", true},
		{"head", "y", true},
		{"side", "foot", true},
		{"x", "foot", true},
		{"y", "foot", true},
	}
	if diff := cmp.Diff(want, relations(cells), sortRelations, cmp.AllowUnexported(relation{})); diff != "" {
		t.Error(diff)
	}
}

func TestNormalizeKeepsWhatTellsCellsApart(t *testing.T) {
	for in, want := range map[string]string{
		"Margin of\nerror (±)": "marginoferror",
		"1,234.50 €":           "123450",
		" — ":                  "-",
		"-":                    "-",
		"✓":                    "✓",
		"ﬁrst Ⅳ":               "firstiv",
		" \t\n":                "",
	} {
		if got := normalize(in); got != want {
			t.Errorf("normalize(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCompareTablesMatchesOneToOneAndCountsFalseTables(t *testing.T) {
	of := func(page int, rows ...[]string) table { return table{page, relations(cellsOf(rows))} }
	expected := []table{of(1, []string{"a", "b"}, []string{"c", "d"}), of(2, []string{"a", "b"})}
	found := []table{
		of(1, []string{"a", "b"}),                     // a part of the first one
		of(1, []string{"c", "d", "x"}),                // as good a part, but the first one is taken
		of(3, []string{"a", "b"}, []string{"p", "q"}), // on another page: false
	}
	if got, want := compareTables(expected, found, true), (tally{expected: 5, found: 7, correct: 1}); got != want {
		t.Errorf("strict: %+v, want %+v", got, want)
	}
	if got, want := compareTables(expected, found, false), (tally{expected: 5, found: 1, correct: 1}); got != want {
		t.Errorf("lenient: %+v, want %+v", got, want)
	}
	if got, want := comparePooled(expected[:1], found), (tally{expected: 4, found: 3, correct: 2}); got != want {
		t.Errorf("pooled: %+v, want %+v", got, want)
	}
}

func TestTallyRatios(t *testing.T) {
	if v := (tally{expected: 4, found: 2, correct: 2}); v.precision() != 1 || v.recall() != 0.5 || v.f1() != 2.0/3 {
		t.Errorf("precision %v, recall %v, F1 %v", v.precision(), v.recall(), v.f1())
	}
	if v := (tally{}); v.precision() != 0 || v.recall() != 0 || v.f1() != 0 {
		t.Errorf("of nothing: precision %v, recall %v, F1 %v", v.precision(), v.recall(), v.f1())
	}
}

func TestReadIndexReadsEachKindOfExpectation(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"index.tsv": "file\texpected\tscope\n" +
			"a/x.pdf\ta/x-reg.xml a/x-str.xml\twhole document\n" +
			"b/y.pdf\tb/y.csv\tpage 1; area 10.5,20,30,40 (stream)\n" +
			"b/z.pdf\tb/z.csv b/z.json\tpage 1; table area x1,y1,x2,y2 = 1,2,3,4\n" +
			"c/w.pdf\tc/w.json\tpage 2\n" +
			"c/v.pdf\tc/v.json\tpage 1; whole page\n" +
			"c/facts.pdf\t-\t\n",
		"a/x-str.xml": `<document><table id="1"><region page="3" row-increment="1" col-increment="2">
<cell start-row="-1" start-col="0" end-col="1"><content>head</content></cell>
<cell start-row="0" start-col="0"><content>cell</content></cell></region></table></document>`,
		"b/y.csv":  "a,\"b\nc\"\nd\n",
		"b/z.json": `[{"page_number":1,"data":[[{"text":"p"},{"text":"q"}]]},{"page_number":2,"data":[[{"text":"r"}]]}]`,
		"b/z.csv":  "unused\n",
		"c/v.json": `{"page_number":1,"data":[[{"text":"s"}]]}`,
		"c/w.json": `{"tables":[{"page":2,"rows":[["u","v"]]}]}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []expectation{
		{
			pdf: filepath.Join(dir, "a/x.pdf"), name: "a/x.pdf", group: "a",
			tables: []grid{{3, []cell{{0, 2, 0, 3, "head"}, {1, 2, 1, 2, "cell"}}}},
		},
		{
			pdf: filepath.Join(dir, "b/y.pdf"), name: "b/y.pdf", group: "b", flat: true,
			tables: []grid{{1, []cell{{0, 0, 0, 0, "a"}, {0, 1, 0, 1, "b\nc"}, {1, 0, 1, 0, "d"}}}},
			area:   &area{left: 20, top: 10.5, right: 40, bottom: 30},
		},
		{
			pdf: filepath.Join(dir, "b/z.pdf"), name: "b/z.pdf", group: "b", flat: true,
			tables: []grid{{1, []cell{{0, 0, 0, 0, "p"}, {0, 1, 0, 1, "q"}}}, {2, []cell{{0, 0, 0, 0, "r"}}}},
			area:   &area{left: 1, top: 2, right: 3, bottom: 4, fromBottom: true},
		},
		{
			pdf: filepath.Join(dir, "c/w.pdf"), name: "c/w.pdf", group: "c", flat: true,
			tables: []grid{{2, []cell{{0, 0, 0, 0, "u"}, {0, 1, 0, 1, "v"}}}},
		},
		{
			pdf: filepath.Join(dir, "c/v.pdf"), name: "c/v.pdf", group: "c", flat: true,
			tables: []grid{{1, []cell{{0, 0, 0, 0, "s"}}}},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(expectation{}, grid{}, cell{}, area{})); diff != "" {
		t.Error(diff)
	}
}

func TestScoreCutsFoundTablesToTheArea(t *testing.T) {
	r := result{Pages: []pageSize{{1, 100}}}
	e := element{Type: "table", Page: 1}
	for row, text := range []string{"title", "a", "b"} {
		y := float64(10 + 20*row)
		e.Cells = append(e.Cells, foundCell{Row: row, RowSpan: 1, ColSpan: 1, BBox: [4]float64{0, y, 50, y + 10}, Content: text})
	}
	r.Kids = []element{{Type: "list", Kids: []element{e}}}
	want := expectation{flat: true, tables: []grid{{1, cellsOf([][]string{{"a"}, {"b"}})}}}
	for name, a := range map[string]*area{
		"from the top":    {left: 0, top: 25, right: 50, bottom: 100},
		"from the bottom": {left: 0, top: 75, right: 50, bottom: 0, fromBottom: true},
	} {
		want.area = a
		if got := want.score(&r); got != (tally{1, 1, 1}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	want.area = nil
	if got := want.score(&r); got != (tally{1, 2, 1}) {
		t.Errorf("whole page: %+v", got)
	}
}

func TestScoreCountsColumnsOfRightToLeftTextFromTheLeft(t *testing.T) {
	var e element
	e.Type, e.Page = "table", 1
	for col, text := range []string{"שם", "5", "7"} { // the first column stands at the right
		e.Cells = append(e.Cells, foundCell{Col: col, RowSpan: 1, ColSpan: 1, Content: text})
	}
	r := result{Kids: []element{e}}
	want := expectation{flat: true, tables: []grid{{1, cellsOf([][]string{{"7", "5", "שם"}})}}}
	if got := want.score(&r); got != (tally{2, 2, 2}) {
		t.Errorf("%+v", got)
	}
}
