package export_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/export"
	"github.com/ragify/ragify/internal/export/exporttest"
	"github.com/ragify/ragify/internal/option"
)

// chunks writes d in chunks of at most so many tokens, and checks them.
func chunks(t *testing.T, d *document.Document, most, overlap int) []exporttest.Chunk {
	t.Helper()
	o := option.Default()
	o.ChunkMaxTokens, o.ChunkOverlapTokens = most, overlap
	if err := exporttest.CheckChunks(d, o); err != nil {
		t.Error(err)
	}
	return divide(t, d, most, overlap)
}

// divide writes d in chunks without looking for other lengths.
func divide(t *testing.T, d *document.Document, most, overlap int) []exporttest.Chunk {
	t.Helper()
	o := option.Default()
	o.ChunkMaxTokens, o.ChunkOverlapTokens = most, overlap
	out, err := exporttest.ReadChunks([]byte(write(t, option.Chunks, d, o)), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func textsOf(list []exporttest.Chunk) []string {
	var texts []string
	for i := range list {
		texts = append(texts, list[i].Text)
	}
	return texts
}

// paper makes a document of pages; each line is an element: "# Heading", "- item", "| cell | cell", or a paragraph.
// Lists and tables are the lines that follow each other. Every element has an id and a box of its own; so has every line
// of a paragraph, of which "/" begins another.
func paper(pages ...string) *document.Document {
	d := &document.Document{NumPages: len(pages)}
	for n, source := range pages {
		p := document.Page{Number: n + 1}
		id := 0
		made := func(kind document.Kind) document.Element {
			id++
			return document.Element{
				ID: fmt.Sprintf("p%d.e%d", n+1, id), Kind: kind, Page: n + 1, Box: document.Box{Left: 50, Top: float64(id * 20), Right: 250, Bottom: float64(id*20 + 10)},
			}
		}
		for line := range strings.Lines(source) {
			line = strings.TrimSpace(line)
			mark, rest, _ := strings.Cut(line, " ")
			var before *document.Element
			if k := len(p.Elements); k > 0 {
				before = &p.Elements[k-1]
			}
			switch {
			case line == "":
			case strings.Trim(mark, "#") == "":
				e := made(document.Heading)
				e.Level, e.Lines = len(mark), lines(rest)
				p.Elements = append(p.Elements, e)
			case mark == "-" || mark == "1.":
				if before == nil || before.Kind != document.List {
					p.Elements = append(p.Elements, made(document.List))
					before = &p.Elements[len(p.Elements)-1]
				}
				e := made(document.ListItem)
				e.Lines, e.Marker = lines(rest), mark
				before.Children = append(before.Children, e)
			case mark == "|":
				if before == nil || before.Kind != document.Table {
					p.Elements = append(p.Elements, made(document.Table))
					before = &p.Elements[len(p.Elements)-1]
					before.Grid = &document.Grid{HeaderRows: 1}
				}
				g := before.Grid
				for c, text := range strings.Split(rest, " | ") {
					added := cell(g.Rows, c, 1, 1, text)
					added.Box = document.Box{Left: 50, Top: before.Box.Top + float64(g.Rows*10), Right: 250, Bottom: before.Box.Top + float64(g.Rows*10+10)}
					g.Cells = append(g.Cells, added)
					g.Cols = max(g.Cols, c+1)
				}
				g.Rows++
				before.Box.Bottom = before.Box.Top + float64(g.Rows*10)
			case mark == "Table" || mark == "Figure":
				e := made(document.Caption)
				e.Lines = lines(line)
				p.Elements = append(p.Elements, e)
			default:
				e := made(document.Paragraph)
				for k, text := range strings.Split(line, " / ") {
					l := lines(text)[0]
					l.Box = document.Box{Left: 50, Top: e.Box.Top + float64(k*10), Right: 250, Bottom: e.Box.Top + float64(k*10+10)}
					e.Lines = append(e.Lines, l)
				}
				p.Elements = append(p.Elements, e)
			}
		}
		d.Pages = append(d.Pages, p)
	}
	return d
}

var update = flag.Bool("update", false, "write what the code gives as the expected output of the golden cases")

// A golden case is an archive with a document in the notation of paper, its pages in files of their own, job options (JSON,
// may be missing), and the chunks. Its comment says what it shows. After a change that is meant:
//
//	go test ./internal/export -run TestChunkGolden -update && git diff
func TestChunkGolden(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "chunks-*.txtar"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			o := option.Default()
			var pages []string
			var want []byte
			for _, f := range archive.Files {
				switch f.Name {
				case "options":
					if err := json.Unmarshal(f.Data, &o); err != nil {
						t.Fatal(err)
					}
				case "page":
					pages = append(pages, string(f.Data))
				case "chunks":
					want = f.Data
				}
			}
			d := paper(pages...)
			if err := exporttest.CheckChunks(d, o); err != nil {
				t.Error(err)
			}
			got := write(t, option.Chunks, d, o)
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "chunks" })
				archive.Files = append(archive.Files, txtar.File{Name: "chunks", Data: []byte(got)})
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("chunks (-want +got):\n%s", diff)
			}
		})
	}
}

// words is a sentence of n words that are a token each.
func words(n int) string { return "The" + strings.Repeat(" very", n-2) + " end." }

// story is a text of paragraphs that all differ.
func story(paragraphs int, title string) string {
	var b strings.Builder
	for i := range paragraphs {
		fmt.Fprintf(&b, "In %s part %d begins here. %s %s It ends with number %d.\n", title, i, words(10+i*7%23), words(12+i*5%17), i*i)
	}
	return b.String()
}

func TestChunkSections(t *testing.T) {
	t.Run("a section that fits is a chunk, with its heading and the path to it", func(t *testing.T) {
		got := chunks(t, paper("# One\n## Two\n"+words(70)+"\n## Three\n"+words(80)), 512, 64)
		if diff := cmp.Diff([]string{"# One\n\n## Two\n\n" + words(70), "## Three\n\n" + words(80)}, textsOf(got)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"One", "Two"}, got[0].HeadingPath); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"One", "Three"}, got[1].HeadingPath); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("small sections below the same heading are one chunk", func(t *testing.T) {
		got := chunks(t, paper("# One\n"+words(70)+"\n## Two\n"+words(20)+"\n## Three\n"+words(20)+"\n# Four\n"+words(20)), 512, 64)
		var paths [][]string
		for i := range got {
			paths = append(paths, got[i].HeadingPath)
		}
		if diff := cmp.Diff([][]string{{"One"}, {"Four"}}, paths); diff != "" {
			t.Error(diff, textsOf(got))
		}
	})
	t.Run("no chunk ends in a heading, whatever fits", func(t *testing.T) {
		for most := 20; most < 120; most += 7 {
			for _, c := range divide(t, paper("# One\n"+story(5, "one")+"# Two\n## Three\n"+story(5, "two")+"# Four\n"+words(15)), most, 5) {
				if all := strings.Split(c.Text, "\n\n"); strings.HasPrefix(all[len(all)-1], "#") {
					t.Errorf("%d tokens: %q", most, c.Text)
				}
			}
		}
	})
	t.Run("a section too long is divided between paragraphs, and nothing small is left", func(t *testing.T) {
		for _, c := range chunks(t, paper("# One\n"+story(30, "one")), 200, 0) {
			if c.Tokens < 200/8 || !strings.HasSuffix(c.Text, ".") || !strings.Contains(c.Text, "It ends with number") {
				t.Errorf("%d tokens: %s", c.Tokens, c.Text)
			}
		}
	})
	t.Run("a text stays with the list that it announces", func(t *testing.T) {
		for _, c := range chunks(t, paper(words(60)+"\nThere are:\n- "+words(30)+"\n- "+words(30)), 100, 0) {
			if strings.HasSuffix(c.Text, ":") {
				t.Error(c.Text)
			}
		}
	})
	t.Run("a document without text has none", func(t *testing.T) {
		d := paper("")
		d.Pages[0].Elements = []document.Element{{ID: "p1.e1", Page: 1, Kind: document.Figure}, {ID: "p1.e2", Page: 1, Kind: document.List}, {ID: "p1.e3", Page: 1, Kind: document.Table}}
		if got := chunks(t, d, 512, 64); len(got) != 0 {
			t.Error(got)
		}
	})
}

func TestChunkSentences(t *testing.T) {
	t.Run("paragraphs too long are divided between sentences", func(t *testing.T) {
		text := "Mr. A. Smith pays 3.5 dollars, e.g. in cash. " + words(20) + " He asked (“Why?”) No. 5 and Fig. 3 twice. " + words(20) + " それは本です。とても長い。" + words(20)
		got := textsOf(chunks(t, paper(text), 30, 0))
		if diff := cmp.Diff([]string{
			"Mr. A. Smith pays 3.5 dollars, e.g. in cash.", words(20) + " He asked (“Why?”)", "No. 5 and Fig. 3 twice.", words(20), "それは本です。とても長い。", words(20),
		}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("sentences too long are divided between words, and these between characters", func(t *testing.T) {
		for _, text := range []string{words(500), strings.Repeat("语言很长", 30), strings.Repeat("ไทย", 30), strings.Repeat("x", 1000), strings.Repeat("é́", 50), strings.Repeat("*_`", 100)} {
			for _, most := range []int{1, 2, 5, 16, 100} {
				divide(t, paper(text), most, most/2)
			}
		}
	})
	t.Run("marks stay with their letters", func(t *testing.T) {
		for _, c := range chunks(t, paper(strings.Repeat("e\u0301", 100)), 7, 0) {
			if strings.HasPrefix(c.Text, "\u0301") {
				t.Errorf("%q", c.Text)
			}
		}
	})
	t.Run("the end of the chunk before is repeated in whole sentences", func(t *testing.T) {
		got := chunks(t, paper(story(20, "one")), 150, 40)
		for i := 1; i < len(got); i++ {
			repeated := strings.TrimSpace(got[i].Text[:len(got[i].Text)-len(got[i].New())])
			if repeated == "" || !strings.HasSuffix(got[i-1].Text, repeated) || !strings.HasPrefix(repeated, "The ") && !strings.HasPrefix(repeated, "It ") {
				t.Errorf("chunk %d repeats %q of %q", i, repeated, got[i-1].Text)
			}
		}
	})
	t.Run("of a sentence longer than that its last words are", func(t *testing.T) {
		got := chunks(t, paper(words(60)+"\n"+words(60)), 100, 20)
		if diff := cmp.Diff(20, len(strings.Fields(got[1].Text[:got[1].Overlap])), cmp.Comparer(func(a, b int) bool { return max(a, b)-min(a, b) <= 1 })); diff != "" {
			t.Error(diff, textsOf(got))
		}
	})
	t.Run("nothing is repeated over a heading", func(t *testing.T) {
		got := chunks(t, paper("# One\n"+words(70)+"\n# Two\n"+words(70)), 100, 20)
		if len(got) != 2 || got[1].Overlap != 0 {
			t.Error(textsOf(got))
		}
	})
}

func TestChunkPlaces(t *testing.T) {
	t.Run("a paragraph over pages has the boxes and ids of both parts", func(t *testing.T) {
		d := paper("# One\nIt goes", "on here")
		d.Pages[1].Elements[0].Continues = true
		got := chunks(t, d, 512, 64)
		if len(got) != 1 || got[0].Text != "# One\n\nIt goes on here" {
			t.Fatal(textsOf(got))
		}
		if diff := cmp.Diff([]string{"p1.e1", "p1.e2", "p2.e1"}, got[0].ElementIDs); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]int{1, 2}, got[0].Pages); diff != "" || len(got[0].Boxes) != 3 || got[0].Boxes[2].Page != 2 {
			t.Error(diff, got[0].Boxes)
		}
	})
	t.Run("a part of a paragraph has the box of its lines", func(t *testing.T) {
		got := chunks(t, paper("The first one is here. / The second one / is longer. The third / one is the last."), 12, 0)
		var tops [][2]float64
		for _, c := range got {
			tops = append(tops, [2]float64{c.Boxes[0].BBox[1], c.Boxes[0].BBox[3]})
		}
		if diff := cmp.Diff([][2]float64{{20, 30}, {30, 50}, {40, 60}}, tops); diff != "" {
			t.Error(diff, textsOf(got))
		}
	})
	t.Run("a part of a table has the box of its rows", func(t *testing.T) {
		got := chunks(t, paper("| A | B\n| "+words(10)+" | 1\n| "+words(10)+" | 2\n| "+words(10)+" | 3"), 45, 0)
		if len(got) != 2 || got[0].Boxes[0].BBox != [4]float64{50, 20, 250, 40} || got[1].Boxes[0].BBox != [4]float64{50, 40, 250, 60} {
			t.Error(textsOf(got), got[0].Boxes, got[1].Boxes)
		}
	})
	t.Run("a line of code and a row that are divided are on the page that they stand on", func(t *testing.T) {
		d := paper("x", strings.Repeat("xy ", 60))
		for i := range d.Pages {
			d.Pages[i].Elements[0].Code = true
		}
		d.Pages[1].Elements[0].Continues = true
		got := chunks(t, d, 30, 0)
		if last := got[len(got)-1]; !slices.Equal(last.Pages, []int{2}) || !slices.Equal(last.ElementIDs, []string{"p2.e1"}) {
			t.Error(last)
		}
		d = paper("| A\n| a", "| A\n| "+words(60))
		d.Pages[1].Elements[0].Continues = true
		got = chunks(t, d, 30, 0)
		if last := got[len(got)-1]; !slices.Equal(last.Pages, []int{2}) || last.Boxes[0].BBox != [4]float64{50, 30, 250, 40} {
			t.Error(last)
		}
	})
	t.Run("a picture is with its caption", func(t *testing.T) {
		d := paper("x\nFigure 1: A fox")
		d.Pages[0].Elements[0].Kind, d.Pages[0].Elements[0].Lines = document.Figure, nil
		got := chunks(t, d, 512, 64)
		if len(got) != 1 || len(got[0].Boxes) != 2 {
			t.Fatal(got)
		}
		if diff := cmp.Diff([]string{"p1.e1", "p1.e2"}, got[0].ElementIDs); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a list over pages has the boxes of both parts and the ids of the items", func(t *testing.T) {
		d := paper("- one\n- two", "- three")
		d.Pages[1].Elements[0].Continues = true
		got := chunks(t, d, 512, 64)
		if diff := cmp.Diff([]string{"p1.e1", "p1.e2", "p1.e3", "p2.e1", "p2.e2"}, got[0].ElementIDs); diff != "" || len(got[0].Boxes) != 2 {
			t.Error(diff, got[0].Boxes)
		}
	})
}

func TestChunkTables(t *testing.T) {
	table := func(rows int) string {
		s := "| Name | Value\n"
		for i := range rows {
			s += fmt.Sprintf("| Row %d is %s | %d\n", i, words(5+i%7), i)
		}
		return s
	}
	t.Run("rows are whole, and every part has the titles and the caption", func(t *testing.T) {
		d := paper("Table 1: Rows\n" + table(40) + words(10))
		got := chunks(t, d, 120, 30)
		if len(got) < 4 {
			t.Fatal(textsOf(got))
		}
		for _, c := range got {
			if !strings.HasPrefix(c.Text, "Table 1: Rows\n\n| Name | Value |\n| --- | --- |\n| Row ") || c.Overlap != 0 {
				t.Error(c.Text)
			}
			for row := range strings.SplitSeq(c.Text, "\n") {
				if strings.Contains(row, "Row ") && (!strings.HasPrefix(row, "| Row ") || !strings.HasSuffix(row, " |")) {
					t.Errorf("row %q", row)
				}
			}
		}
	})
	t.Run("a table that fits is not divided for what stands before it", func(t *testing.T) {
		got := chunks(t, paper(words(70)+"\n"+table(8)), 180, 0)
		if len(got) != 2 || !strings.HasPrefix(got[1].Text, "| Name") {
			t.Error(textsOf(got))
		}
	})
	t.Run("titles are known by their lack of numbers where nothing sets them apart", func(t *testing.T) {
		d := paper(table(20))
		d.Pages[0].Elements[0].Grid.HeaderRows = 0
		for _, c := range chunks(t, d, 100, 0) {
			if !strings.HasPrefix(c.Text, "| Name | Value |\n| --- | --- |\n| Row") {
				t.Error(c.Text)
			}
		}
	})
	t.Run("a table without titles has none in its parts", func(t *testing.T) {
		d := paper("| a | 100\n" + strings.TrimPrefix(table(20), "| Name | Value\n"))
		d.Pages[0].Elements[0].Grid.HeaderRows = 0
		for i, c := range chunks(t, d, 100, 0) {
			if want := "| | |\n| --- | --- |\n| Row"; i > 0 && !strings.HasPrefix(c.Text, want) {
				t.Error(c.Text)
			}
		}
	})
	t.Run("a row too long is divided cell by cell, with the titles of the columns", func(t *testing.T) {
		got := textsOf(chunks(t, paper("| Name | Text\n| a | b\n| long | "+words(40)+" "+words(40)+"\n| c | d"), 60, 0))
		if diff := cmp.Diff([]string{
			"| Name | Text |\n| --- | --- |\n| a | b |\n\nName: long", "Text: " + words(40), words(40) + "\n\n| Name | Text |\n| --- | --- |\n| c | d |",
		}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a merged cell is repeated where a part begins below its start", func(t *testing.T) {
		d := paper(table(20))
		g := d.Pages[0].Elements[0].Grid
		g.Cells = slices.DeleteFunc(g.Cells, func(c document.Cell) bool { return c.Col == 1 && c.Row > 1 })
		g.Cells[3].RowSpan = 20
		g.Cells[3].Lines = lines("all")
		for _, c := range chunks(t, d, 100, 0) {
			if first := strings.Split(c.Text, "\n")[2]; !strings.HasSuffix(first, "| all |") {
				t.Error(c.Text)
			}
		}
	})
	t.Run("one with merged cells is HTML where the option says so and it fits", func(t *testing.T) {
		d := paper(table(4))
		d.Pages[0].Elements[0].Grid.Cells[0].ColSpan = 2
		d.Pages[0].Elements[0].Grid.Cells = slices.Delete(d.Pages[0].Elements[0].Grid.Cells, 1, 2)
		o := option.Default()
		o.MarkdownWithHTML = true
		if err := exporttest.CheckChunks(d, o); err != nil {
			t.Error(err)
		}
		if got := write(t, option.Chunks, d, o); !strings.Contains(got, `"<table>`) {
			t.Error(got)
		}
	})
	t.Run("a table over pages has the boxes of the parts that its rows are on", func(t *testing.T) {
		d := paper(table(20), table(20))
		d.Pages[1].Elements[0].Continues = true
		var pages [][]int
		for _, c := range chunks(t, d, 300, 0) {
			pages = append(pages, c.Pages)
		}
		if !slices.Equal(pages[0], []int{1}) || !slices.Equal(pages[len(pages)-1], []int{2}) {
			t.Error(pages)
		}
	})
}

func TestChunkLists(t *testing.T) {
	item := func(text string, nested ...document.Element) document.Element {
		return document.Element{ID: "p1.e9", Page: 1, Kind: document.ListItem, Marker: "•", Lines: lines(text), Children: nested}
	}
	list := func(items ...document.Element) document.Element {
		return document.Element{ID: "p1.e1", Page: 1, Kind: document.List, Children: items}
	}
	t.Run("items stay in the lists that they are in", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{
			list(item("a "+words(10), list(item("b "+words(20)), item("c "+words(20)))), item("d")),
		}}}}
		got := textsOf(chunks(t, d, 40, 0))
		if diff := cmp.Diff([]string{"- a " + words(10) + "\n  - b " + words(20), "- - c " + words(20) + "\n- d"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("an item too long is a text with its mark", func(t *testing.T) {
		d := &document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{list(item("a"), item(words(40)+" "+words(40)), item("b"))}}}}
		got := textsOf(chunks(t, d, 60, 0))
		if diff := cmp.Diff([]string{"- a\n\n- " + words(40), words(40) + "\n\n- b"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestChunkIDs(t *testing.T) {
	ids := func(list []exporttest.Chunk) map[string]bool {
		m := make(map[string]bool)
		for i := range list {
			m[list[i].ID] = true
		}
		return m
	}
	changed := func(before, after []exporttest.Chunk) (n int) {
		old := ids(before)
		for id := range ids(after) {
			if !old[id] {
				n++
			}
		}
		return n
	}
	one, two, three := "# One\n"+story(30, "one"), "# Two\n"+story(30, "two"), "# Three\n"+story(30, "three")
	before := divide(t, paper(one, two, three), 200, 30)
	t.Run("a page put before them changes none", func(t *testing.T) {
		after := divide(t, paper("# Zero\n"+story(3, "zero"), one, two, three), 200, 30)
		if n, added := changed(before, after), len(after)-len(before); n != added || added < 1 {
			t.Errorf("%d chunks more, %d ids", added, n)
		}
	})
	t.Run("a page taken out changes none", func(t *testing.T) {
		if n := changed(before, divide(t, paper(one, three), 200, 30)); n > 0 {
			t.Errorf("%d new ids", n)
		}
	})
	t.Run("another title page changes only its own", func(t *testing.T) {
		below := func(title, mark string) []exporttest.Chunk {
			return divide(t, paper(title, mark+one, mark+two, mark+three), 200, 30)
		}
		first := below("# A book\n"+story(10, "zero"), "#")
		if n := changed(below("# A book, revised\n"+story(10, "zero"), "#"), first); n < 1 || n > 4 {
			t.Errorf("%d new ids of %d", n, len(first))
		}
		if n := changed(first, below("", "")); n > 0 {
			t.Errorf("%d new ids where the title and its level are gone", n)
		}
	})
	t.Run("a word changed changes one chunk, and the next where it is repeated there", func(t *testing.T) {
		after := divide(t, paper(one, strings.Replace(two, "part 9 begins", "section 9 begins", 1), three), 200, 30)
		if n := changed(before, after); n < 1 || n > 2 {
			t.Errorf("%d new ids of %d", n, len(after))
		}
	})
	t.Run("a paragraph put in at the start of a long section changes few", func(t *testing.T) {
		long := story(200, "long")
		before, after := divide(t, paper(long), 200, 30), divide(t, paper(story(2, "new")+long), 200, 30)
		if n := changed(before, after); n < 1 || n > len(before)/4 {
			t.Errorf("%d new ids of %d", n, len(after))
		}
	})
	t.Run("chunks that say the same below the same headings have ids of their own", func(t *testing.T) {
		same := "# One\n" + words(100) + "\n"
		if got := divide(t, paper(same+same+same), 128, 0); len(got) != 3 || len(ids(got)) != 3 {
			t.Error(textsOf(got))
		}
	})
	t.Run("the same text below another heading is another chunk", func(t *testing.T) {
		a := divide(t, paper("# One\n"+story(10, "x")), 200, 0)
		b := divide(t, paper("# Two\n"+story(10, "x")), 200, 0)
		if n := changed(a, b); n != len(b) {
			t.Errorf("%d new ids of %d", n, len(b))
		}
	})
}

func TestChunks_take_time_in_proportion_to_the_text(t *testing.T) {
	for name, page := range map[string]func(n int) string{
		"paragraphs": func(n int) string { return story(n, "x") },
		"a sentence": func(n int) string { return words(n * 20) },
		"a word":     func(n int) string { return strings.Repeat("ab1", n*10) },
		"rows":       func(n int) string { return strings.Repeat("| a | b\n", n*3) },
		"items":      func(n int) string { return strings.Repeat("- a b c\n", n*3) },
		"code marks": func(n int) string { return strings.Repeat("* _ ` ", n*10) },
		"full stops": func(n int) string { return strings.Repeat(".) ", n*10) },
	} {
		t.Run(name, func(t *testing.T) {
			allocated := func(n int) uint64 {
				d := paper(page(n))
				o := option.Default()
				o.ChunkMaxTokens, o.ChunkOverlapTokens = 100, 10
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if err := export.Write(io.Discard, option.Chunks, d, o); err != nil {
					t.Fatal(err)
				}
				runtime.ReadMemStats(&after)
				return after.TotalAlloc - before.TotalAlloc
			}
			allocated(1) // the vocabulary
			if few, many := allocated(100), allocated(800); many > 16*few {
				t.Errorf("%d bytes for some, %d for eight times as much", few, many)
			}
		})
	}
}

// FuzzChunks divides documents of any elements in chunks of any length.
func FuzzChunks(f *testing.F) {
	f.Add(uint16(20), uint16(5), []byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add(uint16(1), uint16(0), []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Fuzz(func(t *testing.T, most, overlap uint16, data []byte) {
		if len(data) > 60 || most == 0 || overlap >= most {
			return
		}
		sources := []string{
			"# Heading\n", "## Another\n", "### A third\n", "A short text.\n", words(30) + "\n", "- an item\n", "- " + words(25) + "\n", "| a | b\n", "| " + words(12) + " | c\n",
			"Table 1: A caption\n", "语言很长。它很长。\n", "*_`#|\\<>&[]() ~~\n", strings.Repeat("x1", 50) + "\n", "One line / another. / And / a third line\n", "1. numbered\n",
		}
		var b strings.Builder
		for _, v := range data {
			b.WriteString(sources[int(v)%len(sources)])
		}
		d := paper(b.String(), b.String())
		if first := &d.Pages[1].Elements; len(*first) > 0 && len(data)%2 == 0 {
			if e := &(*first)[0]; e.Kind != document.Heading && e.Kind != document.Caption {
				e.Continues = true
			}
		}
		o := option.Default()
		o.ChunkMaxTokens, o.ChunkOverlapTokens = int(most), int(overlap)
		if err := exporttest.CheckChunks(d, o); err != nil {
			t.Error(err)
		}
	})
}

// BenchmarkChunks writes a thousand pages of text, lists and tables.
func BenchmarkChunks(b *testing.B) {
	var pages []string
	for i := range 1000 {
		title := fmt.Sprint("page ", i)
		pages = append(pages, "# "+title+"\n"+story(10, title)+"- an item\n- another item\n| Name | Value\n| a | 1\n| b | 2\n")
	}
	d := paper(pages...)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := export.Write(&out, option.Chunks, d, option.Default()); err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(out.Len()))
	}
}
