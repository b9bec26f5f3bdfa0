package sanitize_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/sanitize"
)

// BenchmarkDocument measures plain text, and text that is full of what values begin with: the time for a byte must not
// grow with the length.
func BenchmarkDocument(b *testing.B) {
	for _, s := range []string{
		"An ordinary text of 2023, with 1,234 words (and some more) in it. ",
		"1 ", "a.", "@", "a@", "(", ")", "<", "1.", "a:", "://", "://a", "www.", "www.(", "DE12 ", "tel ", "+1 ", "0 1-", "{@", "-", "a.b/", "A.com/", "(a.com", "x.de)))))", "a@b.c.d.e.f.", "[URL_1]", "\u200B", "A1 ",
	} {
		for _, size := range []int{10_000, 100_000} {
			b.Run(fmt.Sprintf("%q/%d", s, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					var lines []document.Line
					for range size / len(s) / 10 {
						lines = append(lines, document.Line{Runs: []document.Run{{Text: strings.Repeat(s, 10)}}})
					}
					e := document.Element{Kind: document.Paragraph, Page: 1, Lines: lines}
					sanitize.Document(&document.Document{Pages: []document.Page{{Number: 1, Elements: []document.Element{e}}}}, " ")
				}
			})
		}
	}
}
