package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
)

// tableScore is the result of one document.
type tableScore struct {
	name, group string
	tally       tally
}

// tableSection converts the documents of dir (a folder with an index.tsv of expected tables) with a table_method, and
// tells how well the cell adjacency relations of their tables are found; the collections are its groups.
//
// The variant of the competition's measure: texts are compared without white space and special characters, exactly.
// Where a document's tables are all known with their merged cells (ICDAR 2013), each expected table is matched with at
// most one of its page, and tables that are none count against precision. The expectations of Tabula and Camelot are
// rows of strings, often of a part of the page: found tables are cut to that part and flattened like them, and only
// those that have something in common with the expectation count.
func tableSection(ctx context.Context, e *engine.Engine, dir, method string) (section, error) {
	scores, err := tableScores(ctx, e, dir, method)
	if err != nil {
		return section{}, err
	}
	out := section{
		name: "tables-" + method, title: "Tables by cell adjacency, table_method " + method,
		metrics: []string{"F1", "precision", "recall"},
	}
	if method == "cluster" {
		out.name = "tables"
		out.required = []float64{0.85, math.NaN(), math.NaN()}
	}
	groups := make(map[string][]int)
	for i, s := range scores {
		groups[s.group] = append(groups[s.group], i)
		out.docs = append(out.docs, scored{s.name, []float64{s.tally.f1(), s.tally.precision(), s.tally.recall()}})
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		out.groups = append(out.groups, group{name, groups[name]})
	}
	return out, nil
}

// tableScores converts the documents and scores each. The error is errAbsent where there are none.
func tableScores(ctx context.Context, e *engine.Engine, dir, method string) ([]tableScore, error) {
	list, err := readIndex(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: no expected tables in %s", errAbsent, dir)
	}
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "ragify-tables")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	o := option.Default()
	o.TableMethod, o.Format = method, []option.Format{option.JSON}
	var scores []tableScore
	for i := range list {
		stem := fmt.Sprintf("%d", i)
		if _, err := e.Convert(ctx, engine.Request{Source: list[i].pdf, OutDir: temp, Stem: stem, Options: o}, nil); err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].name, err)
		}
		data, err := os.ReadFile(filepath.Join(temp, stem+".json"))
		if err != nil {
			return nil, err
		}
		var r result
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].name, err)
		}
		scores = append(scores, tableScore{list[i].name, list[i].group, list[i].score(&r)})
	}
	return scores, nil
}

// result is what the evaluator reads of the JSON output.
type result struct {
	Pages []pageSize `json:"pages"`
	Kids  []element  `json:"kids"`
}

type pageSize struct {
	Number int     `json:"number"`
	Height float64 `json:"height"`
}

type element struct {
	Type  string      `json:"type"`
	Page  int         `json:"page_number"`
	Cells []foundCell `json:"cells"`
	Kids  []element   `json:"kids"`
}

type foundCell struct {
	Row     int        `json:"row"`
	Col     int        `json:"column"`
	RowSpan int        `json:"row_span"`
	ColSpan int        `json:"column_span"`
	BBox    [4]float64 `json:"bbox"`
	Content string     `json:"content"`
}

// score compares a result with the expectation.
func (e *expectation) score(r *result) tally {
	var expected []table
	for _, g := range e.tables {
		expected = append(expected, table{g.page, relations(g.cells)})
	}
	if !e.flat {
		return compareTables(expected, r.tables(nil, keepSpans), true)
	}
	// A flat expectation has the text of merged cells in the first slot or, by Camelot's option copy_text, in all; and
	// its columns go from left to right even where the text goes the other way.
	best := comparePooled(expected, r.tables(e.area, firstSlot))
	variants := [][]table{r.tables(e.area, everySlot)}
	if e.rightToLeft() {
		variants = append(variants, mirrored(r, e.area))
	}
	for _, found := range variants {
		if t := comparePooled(expected, found); t.f1() > best.f1() {
			best = t
		}
	}
	return best
}

// rightToLeft reports whether the expectation has text of a right-to-left script.
func (e *expectation) rightToLeft() bool {
	for _, g := range e.tables {
		for _, c := range g.cells {
			if strings.IndexFunc(c.text, func(r rune) bool { return unicode.In(r, unicode.Hebrew, unicode.Arabic) }) >= 0 {
				return true
			}
		}
	}
	return false
}

// mirrored gives the tables of a result with their columns from the left of the page to the right.
func mirrored(r *result, a *area) []table {
	m := result{Pages: r.Pages, Kids: mirrorElements(r.Kids)}
	return m.tables(a, firstSlot)
}

func mirrorElements(list []element) []element {
	out := slices.Clone(list)
	for i := range out {
		out[i].Kids = mirrorElements(out[i].Kids)
		out[i].Cells = slices.Clone(out[i].Cells)
		columns := 0
		for _, c := range out[i].Cells {
			columns = max(columns, c.Col+c.ColSpan)
		}
		for k := range out[i].Cells {
			c := &out[i].Cells[k]
			c.Col = columns - c.Col - c.ColSpan
		}
	}
	return out
}

// spanning is how merged cells are read.
type spanning int

const (
	keepSpans spanning = iota
	firstSlot          // their text is in their first slot, the others are blank
	everySlot          // their text is in each of their slots
)

// tables gives the tables of a result, cut to an area.
func (r *result) tables(a *area, how spanning) []table {
	heights := make(map[int]float64)
	for _, p := range r.Pages {
		heights[p.Number] = p.Height
	}
	var out []table
	var walk func([]element)
	walk = func(list []element) {
		for _, e := range list {
			walk(e.Kids)
			if e.Type != "table" {
				continue
			}
			var cells []cell
			for _, c := range e.Cells {
				if !a.holds((c.BBox[0]+c.BBox[2])/2, (c.BBox[1]+c.BBox[3])/2, heights[e.Page]) {
					continue
				}
				k := cell{c.Row, c.Col, c.Row + c.RowSpan - 1, c.Col + c.ColSpan - 1, c.Content}
				switch how {
				case keepSpans:
					cells = append(cells, k)
				case firstSlot:
					cells = append(cells, cell{k.row, k.col, k.row, k.col, k.text})
				case everySlot:
					for row := k.row; row <= k.lastRow; row++ {
						for col := k.col; col <= k.lastCol; col++ {
							cells = append(cells, cell{row, col, row, col, k.text})
						}
					}
				}
			}
			out = append(out, table{e.Page, relations(cells)})
		}
	}
	walk(r.Kids)
	return out
}
