package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// An expectation is what the tables of a document should be.
type expectation struct {
	pdf    string // path
	name   string // as the index has it: folder/file
	group  string // the folder: where the expectations come from
	tables []grid
	// flat expectations are rows of strings: they know no merged cells, and several tables may follow each other.
	flat bool
	area *area // the part of the page that the expectation is about, nil for all of it
}

// A grid is a table of an expectation.
type grid struct {
	page  int
	cells []cell
}

// An area of a page in points.
type area struct {
	left, top, right, bottom float64
	fromBottom               bool // the origin is at the bottom left
}

// readIndex reads the expectations of a folder of tables from its index.tsv; documents without a file of expectations
// are left out.
func readIndex(dir string) ([]expectation, error) {
	text, err := os.ReadFile(filepath.Join(dir, "index.tsv"))
	if err != nil {
		return nil, err
	}
	var out []expectation
	var columns map[string]int
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if columns == nil {
			columns = make(map[string]int)
			for i, name := range fields {
				columns[name] = i
			}
			for _, name := range []string{"file", "expected", "scope"} {
				if _, ok := columns[name]; !ok {
					return nil, fmt.Errorf("%s: no column %q", dir, name)
				}
			}
			continue
		}
		if len(fields) < len(columns) {
			continue
		}
		file, expected, scope := fields[columns["file"]], fields[columns["expected"]], fields[columns["scope"]]
		e := expectation{pdf: filepath.Join(dir, file), name: file, group: filepath.Dir(file)}
		if err := e.read(dir, strings.Fields(expected), scope); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(e.tables) > 0 {
			out = append(out, e)
		}
	}
	return out, nil
}

// read takes the expectation that says most of several files: structure with merged cells, then tables apart, then
// rows of all tables in one.
func (e *expectation) read(dir string, files []string, scope string) error {
	for _, kind := range []struct {
		suffix string
		parse  func([]byte) ([]grid, error)
		flat   bool
	}{{"-str.xml", parseStructure, false}, {".json", parseJSON, true}, {".csv", parseCSV, true}} {
		for _, f := range files {
			if !strings.HasSuffix(f, kind.suffix) {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				return err
			}
			e.tables, err = kind.parse(data)
			e.flat, e.area = kind.flat, parseArea(scope)
			return err
		}
	}
	return nil
}

// parseStructure reads the structure format of the ICDAR 2013 competition. A table may consist of regions, whose rows
// and columns count from the increments.
func parseStructure(data []byte) ([]grid, error) {
	var doc struct {
		Tables []struct {
			Regions []struct {
				Page int `xml:"page,attr"`
				Row  int `xml:"row-increment,attr"`
				Col  int `xml:"col-increment,attr"`
				Cell []struct {
					Row     int    `xml:"start-row,attr"`
					Col     int    `xml:"start-col,attr"`
					LastRow *int   `xml:"end-row,attr"`
					LastCol *int   `xml:"end-col,attr"`
					Content string `xml:"content"`
				} `xml:"cell"`
			} `xml:"region"`
		} `xml:"table"`
	}
	if err := xml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	var out []grid
	for _, t := range doc.Tables {
		var g grid
		for i, region := range t.Regions {
			if i == 0 {
				g.page = region.Page
			}
			for _, c := range region.Cell {
				k := cell{row: c.Row + region.Row, col: c.Col + region.Col, text: c.Content}
				k.lastRow, k.lastCol = k.row, k.col
				if c.LastRow != nil {
					k.lastRow = max(*c.LastRow+region.Row, k.row)
				}
				if c.LastCol != nil {
					k.lastCol = max(*c.LastCol+region.Col, k.col)
				}
				g.cells = append(g.cells, k)
			}
		}
		out = append(out, g)
	}
	return out, nil
}

// parseJSON reads the rows that the tests of Camelot ({"tables": [{"page", "rows"}]}) and of Tabula (one or a list of
// {"page_number", "data": rows of {"text"}}) expect.
func parseJSON(data []byte) ([]grid, error) {
	type expected struct {
		Tables []struct {
			Page int        `json:"page"`
			Rows [][]string `json:"rows"`
		} `json:"tables"`
		Page int `json:"page_number"`
		Data [][]struct {
			Text string `json:"text"`
		} `json:"data"`
	}
	var list []expected
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
	} else {
		list = make([]expected, 1)
		if err := json.Unmarshal(data, &list[0]); err != nil {
			return nil, err
		}
	}
	var out []grid
	for _, e := range list {
		for _, t := range e.Tables {
			out = append(out, grid{max(t.Page, 1), cellsOf(t.Rows)})
		}
		if e.Data == nil {
			continue
		}
		rows := make([][]string, len(e.Data))
		for i, r := range e.Data {
			for _, c := range r {
				rows[i] = append(rows[i], c.Text)
			}
		}
		out = append(out, grid{max(e.Page, 1), cellsOf(rows)})
	}
	return out, nil
}

// parseCSV reads rows of the first page.
func parseCSV(data []byte) ([]grid, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	return []grid{{1, cellsOf(rows)}}, nil
}

func cellsOf(rows [][]string) []cell {
	var out []cell
	for r, row := range rows {
		for c, text := range row {
			out = append(out, cell{r, c, r, c, text})
		}
	}
	return out
}

var areaPattern = regexp.MustCompile(`(?:area|region) (x1,y1,x2,y2 = )?([\d.]+),([\d.]+),([\d.]+),([\d.]+)`)

// parseArea reads the area off a scope: Tabula's top, left, bottom, right from the top left corner, or Camelot's
// x1, y1, x2, y2 (top left, then bottom right corner) from the bottom left one. It gives nil when there is none.
func parseArea(scope string) *area {
	m := areaPattern.FindStringSubmatch(scope)
	if m == nil {
		return nil
	}
	var v [4]float64
	for i := range v {
		var err error
		if v[i], err = strconv.ParseFloat(m[i+2], 64); err != nil {
			return nil
		}
	}
	if m[1] != "" {
		return &area{left: v[0], top: v[1], right: v[2], bottom: v[3], fromBottom: true}
	}
	return &area{left: v[1], top: v[0], right: v[3], bottom: v[2]}
}

// holds reports whether a point, from the top left corner of a page of the given height, is in the area.
func (a *area) holds(x, y, height float64) bool {
	if a == nil {
		return true
	}
	top, bottom := a.top, a.bottom
	if a.fromBottom {
		top, bottom = height-a.top, height-a.bottom
	}
	return x >= a.left && x <= a.right && y >= top && y <= bottom
}
