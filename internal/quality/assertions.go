package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/option"
)

// An assertion says what the text of a document has, has not, or has in which order, as in olmOCR-bench. Its other
// kinds, formulas in LaTeX and single table cells, are not looked at: there are better measures for tables.
type assertion struct {
	PDF, Type     string
	Text          string // present, absent
	Before, After string // order
	FirstN        int    `json:"first_n"` // only so many characters from the start; 0: all
	LastN         int    `json:"last_n"`  // only so many from the end
	MaxDiffs      int    `json:"max_diffs"`
	MaxLength     int    `json:"max_length"` // baseline: the text is not longer
}

// assertionMetrics are the shares of assertions that hold, of all and by kind.
func assertionMetrics() []string { return []string{"all", "present", "absent", "order"} }

// assertionSection converts the documents of a folder that have assertions (NAME.tests.jsonl beside NAME.pdf) and
// checks these. The error is errAbsent where there are none.
func assertionSection(ctx context.Context, e *engine.Engine, dir, out string) (section, error) {
	s := section{name: "assertions", title: "What texts have and have not", metrics: assertionMetrics()}
	paths, err := filepath.Glob(filepath.Join(dir, "*.tests.jsonl"))
	if err != nil {
		return s, err
	}
	if len(paths) == 0 {
		return s, fmt.Errorf("%w: no assertions in %s", errAbsent, dir)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return s, err
	}
	ids := make([]string, len(paths))
	for i, path := range paths {
		ids[i] = strings.TrimSuffix(filepath.Base(path), ".tests.jsonl")
	}
	if s.speed, err = convertAll(ctx, e, dir, ids, out, option.Default()); err != nil {
		return s, err
	}
	for i, path := range paths {
		list, err := readAssertions(path)
		if err != nil {
			return s, err
		}
		text, err := os.ReadFile(filepath.Join(out, ids[i]+".md"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
		s.docs = append(s.docs, scored{ids[i], check(list, shownText(string(text)))})
	}
	return s, nil
}

func readAssertions(path string) ([]assertion, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []assertion
	for d := json.NewDecoder(bufio.NewReader(bytes.NewReader(source))); ; {
		var a assertion
		switch err := d.Decode(&a); {
		case errors.Is(err, io.EOF):
			return list, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		list = append(list, a)
	}
}

// check gives the values of assertionMetrics for one text, NaN where no assertion is of a kind.
func check(list []assertion, text string) []float64 {
	kinds := assertionMetrics()
	held, of := make([]float64, len(kinds)), make([]float64, len(kinds))
	for _, a := range list {
		holds, known := a.holds(text)
		if !known {
			continue
		}
		for k, kind := range kinds {
			if k > 0 && kind != a.Type {
				continue
			}
			of[k]++
			if holds {
				held[k]++
			}
		}
	}
	for k := range held {
		if held[k] /= of[k]; of[k] == 0 {
			held[k] = math.NaN()
		}
	}
	return held
}

// holds reports whether the assertion is true of a text; known is false for a kind that is not looked at.
func (a *assertion) holds(text string) (holds, known bool) {
	runes := []rune(text)
	switch {
	case a.FirstN > 0 && a.FirstN < len(runes):
		runes = runes[:a.FirstN]
	case a.LastN > 0 && a.LastN < len(runes):
		runes = runes[len(runes)-a.LastN:]
	}
	part := string(runes)
	switch a.Type {
	case "present":
		return find(part, shownText(a.Text), a.MaxDiffs, 0) >= 0, true
	case "absent":
		return find(strings.ToLower(part), strings.ToLower(shownText(a.Text)), a.MaxDiffs, 0) < 0, true
	case "order":
		at := find(text, shownText(a.Before), a.MaxDiffs, 0)
		return at >= 0 && find(text, shownText(a.After), a.MaxDiffs, at) >= 0, true
	case "baseline":
		return a.MaxLength == 0 || utf8.RuneCountInString(text) <= a.MaxLength, true
	}
	return false, false
}

var (
	markdownMarks = regexp.MustCompile(`\*{1,3}|~~|(?m:^#{1,6} |^---$)|<br>|\[([^\]]*)\]\([^)]*\)`)
	markdownSlash = regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])")
	typography    = strings.NewReplacer("‘", "'", "’", "'", "‚", "'", "“", `"`, "”", `"`, "„", `"`, "–", "-", "—", "-", "‑", "-", "‐", "-", "−", "-", "…", "...")
)

// shownText is what a reader sees of Markdown, with plain quotes and dashes and single spaces.
func shownText(s string) string {
	s = markdownMarks.ReplaceAllString(s, "$1")
	s = markdownSlash.ReplaceAllString(s, "$1")
	return strings.Join(strings.Fields(typography.Replace(norm.NFC.String(s))), " ")
}

// find gives an index in runes, not below from, at which text has what, but for most characters that are missing, too
// many or others (Sellers 1980); -1 for none. Its cost is the product of the lengths.
func find(text, what string, most, from int) int {
	pattern := []rune(what)
	if most == 0 {
		start := 0
		for range from {
			_, n := utf8.DecodeRuneInString(text[start:])
			start += n
		}
		at := strings.Index(text[start:], what)
		if at < 0 {
			return -1
		}
		return from + utf8.RuneCountInString(text[start:start+at])
	}
	above := make([]int, len(pattern)+1) // the least distance of each beginning of pattern to what ends here
	for k := range above {
		above[k] = k
	}
	for i, r := range []rune(text) {
		if i < from {
			continue
		}
		last := 0 // the diagonal
		for k, p := range pattern {
			d := last
			if p != r {
				d++
			}
			last = above[k+1]
			above[k+1] = min(d, last+1, above[k]+1)
		}
		if above[len(pattern)] <= most {
			return max(i+1-len(pattern), 0)
		}
	}
	return -1
}
