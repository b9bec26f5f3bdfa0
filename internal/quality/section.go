package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// A section is a set of documents and how well they came out.
type section struct {
	name     string    // its key in the baseline
	title    string    // what it is, for people
	speed    string    // what was converted, and how long it took, for people
	metrics  []string  // what values are of; the first one says which documents are the worst
	required []float64 // what is asked for of the means, metric by metric; nil: nothing
	groups   []group   // parts of the documents to be shown apart
	docs     []scored
	notes    []string // what a person has to look at
}

// scored is a document with a value from 0 to 1 for each metric of its section, NaN where there is none.
type scored struct {
	id     string
	values []float64
}

// A group is a part of a section, by indices of docs.
type group struct {
	name string
	docs []int
}

// halves divides n documents into every other one and the rest: rules tuned on one half have to hold on the other.
func halves(n int) []group {
	first, second := group{name: "first half"}, group{name: "second half"}
	for i := range n {
		if i%2 == 0 {
			first.docs = append(first.docs, i)
		} else {
			second.docs = append(second.docs, i)
		}
	}
	return []group{first, second}
}

// mean gives the means of every metric over those of the documents that have it, NaN where none has.
func (s *section) mean(docs []scored) []float64 {
	out := make([]float64, len(s.metrics))
	for k := range out {
		sum, n := 0.0, 0
		for _, d := range docs {
			if v := d.values[k]; !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		out[k] = sum / float64(n) // 0/0 is NaN
	}
	return out
}

// A change is a document whose value of a metric is not what the baseline has.
type change struct {
	id, metric  string
	was, is, by float64
}

// tolerance is the least change of a document's value that is reported, in the metrics' own unit.
const tolerance = 0.02

// compare lists the changes of more than tolerance since the baseline, the worst first, and gives the means then and
// now of the documents that both know. There are no means when there are no such documents.
func (s *section) compare(base map[string]map[string]float64) (changes []change, then, now []float64) {
	var before, after []scored
	for _, d := range s.docs {
		old, ok := base[d.id]
		if !ok {
			continue
		}
		was := scored{id: d.id}
		for k, metric := range s.metrics {
			v, ok := old[metric]
			if !ok {
				v = math.NaN()
			}
			was.values = append(was.values, v)
			if by := d.values[k] - v; math.Abs(by) > tolerance {
				changes = append(changes, change{d.id, metric, v, d.values[k], by})
			}
		}
		before, after = append(before, was), append(after, d)
	}
	if len(before) == 0 {
		return nil, nil, nil
	}
	slices.SortStableFunc(changes, func(a, b change) int { return cmp.Compare(a.by, b.by) })
	return changes, s.mean(before), s.mean(after)
}

// print writes the section: means, groups, the worst documents (as many as worst, without perfect ones) and, with a baseline, what has
// changed since.
func (s *section) print(w io.Writer, base map[string]map[string]float64, worst int) {
	fmt.Fprintf(w, "── %s %s\n", s.title, strings.Repeat("─", max(0, 76-len([]rune(s.title)))))
	if s.speed != "" {
		fmt.Fprintf(w, "  %s\n", s.speed)
	}
	t := layout{w: w, width: 24}
	for _, d := range s.docs {
		t.width = max(t.width, len([]rune(d.id)))
	}
	fmt.Fprintf(w, "\n  %-*s %5s", t.width, "", "docs")
	for _, m := range s.metrics {
		fmt.Fprintf(w, " %9s", m)
	}
	fmt.Fprintln(w)
	for _, g := range s.groups {
		var docs []scored
		for _, i := range g.docs {
			docs = append(docs, s.docs[i])
		}
		t.row(g.name, fmt.Sprint(len(docs)), "%9.3f", s.mean(docs))
	}
	t.row("all", fmt.Sprint(len(s.docs)), "%9.3f", s.mean(s.docs))
	if s.required != nil {
		t.row("required", "", "%9.3f", s.required)
	}
	changes, then, now := s.compare(base)
	if then != nil {
		by := make([]float64, len(now))
		for k := range by {
			by[k] = now[k] - then[k]
		}
		t.row("baseline", "", "%9.3f", then)
		t.row("change", "", "%+9.3f", by)
	}
	s.printWorst(t, worst)
	if then == nil {
		fmt.Fprintln(w, "\n  The baseline knows none of these documents.")
	}
	t.changes(changes)
	for _, note := range s.notes {
		fmt.Fprintf(w, "\n  %s\n", note)
	}
	fmt.Fprintln(w)
}

func (s *section) printWorst(t layout, worst int) {
	sorted := slices.Clone(s.docs)
	slices.SortStableFunc(sorted, func(a, b scored) int { return cmp.Compare(a.values[0], b.values[0]) })
	if whole := slices.IndexFunc(sorted, func(d scored) bool { return d.values[0] == 1 }); whole >= 0 {
		sorted = sorted[:whole] // nothing is bad about these
	}
	if len(sorted) == 0 {
		return
	}
	fmt.Fprintln(t.w, "\n  the worst")
	for _, d := range sorted[:min(worst, len(sorted))] {
		t.row(d.id, "", "%9.3f", d.values)
	}
}

// A layout is a page laid out in columns, the first of them width characters wide.
type layout struct {
	w     io.Writer
	width int
}

// row writes a name, a count and values.
func (t layout) row(name, count, format string, values []float64) {
	fmt.Fprintf(t.w, "  %-*s %5s", t.width, name, count)
	for _, v := range values {
		text := fmt.Sprintf(format, v)
		if math.IsNaN(v) {
			text = fmt.Sprintf("%9s", "–")
		}
		fmt.Fprintf(t.w, " %s", text)
	}
	fmt.Fprintln(t.w)
}

// changes writes what has changed since the baseline, the regressions in full.
func (t layout) changes(changes []change) {
	const most = 10 // improvements: nobody has to act on them
	better := slices.IndexFunc(changes, func(c change) bool { return c.by > 0 })
	if better < 0 {
		better = len(changes)
	}
	for _, part := range []struct {
		title string
		list  []change
	}{{"worse", changes[:better]}, {"better", reversed(changes[better:])}} {
		if len(part.list) == 0 {
			continue
		}
		fmt.Fprintf(t.w, "\n  %s than the baseline by more than %g\n", part.title, tolerance)
		for i, c := range part.list {
			if i == most && part.title == "better" {
				fmt.Fprintf(t.w, "  … and %d more\n", len(part.list)-most)
				break
			}
			fmt.Fprintf(t.w, "  %-*s %-10s %.3f → %.3f  %+.3f\n", t.width, c.id, c.metric, c.was, c.is, c.by)
		}
	}
}

func reversed(list []change) []change {
	out := slices.Clone(list)
	slices.Reverse(out)
	return out
}
