package option

import (
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/fault"
)

// maxPageNumber is beyond any PDF and keeps arithmetic far from overflow.
const maxPageNumber = 1_000_000_000

// ParsePages reads a selection such as "1,3,5-7" (white space around numbers is fine) and gives the
// selected page numbers, counting from 1, sorted, each once. Blank means every page.
//
// With numPages 0 only the syntax is checked, and the result is nil: a range may span a billion pages.
// Fault Invalid "invalid_page_range" (facts field, and page_count when a page is past the end).
func ParsePages(s string, numPages int) ([]int, error) {
	var selected []bool // by page number less 1
	if numPages > 0 {
		selected = make([]bool, numPages)
	}
	if strings.TrimSpace(s) == "" {
		for i := range selected {
			selected[i] = true
		}
		return numbers(selected), nil
	}
	for part := range strings.SplitSeq(s, ",") {
		first, last, ok := parseRange(part)
		if !ok {
			return nil, fault.Newf(fault.Invalid, "invalid_page_range",
				"Option \"pages\" must look like \"1,3,5-7\", counting from 1; %q does not.", clip(strings.TrimSpace(part))).
				With("field", "pages")
		}
		if numPages == 0 {
			continue
		}
		if last > numPages {
			return nil, fault.Newf(fault.Invalid, "invalid_page_range",
				"Option \"pages\" asks for page %d, but the PDF has %s.", last, countPages(numPages)).
				With("field", "pages").With("page_count", numPages)
		}
		for page := first; page <= last; page++ {
			selected[page-1] = true
		}
	}
	return numbers(selected), nil
}

// parseRange reads "5" or "5-7".
func parseRange(s string) (first, last int, ok bool) {
	from, to, isRange := strings.Cut(s, "-")
	first, ok = parseNumber(from)
	if !ok || !isRange {
		return first, first, ok
	}
	last, ok = parseNumber(to)
	return first, last, ok && first <= last
}

func parseNumber(s string) (int, bool) {
	s = strings.TrimSpace(s)
	for _, c := range []byte(s) {
		if c < '0' || c > '9' { // Atoi would take a sign
			return 0, false
		}
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 1 && n <= maxPageNumber
}

func numbers(selected []bool) []int {
	var pages []int
	for i, on := range selected {
		if on {
			pages = append(pages, i+1)
		}
	}
	return pages
}

func countPages(n int) string {
	if n == 1 {
		return "1 page"
	}
	return strconv.Itoa(n) + " pages"
}
