package layout_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/ragify/ragify/internal/document"
)

var tagKey = regexp.MustCompile(`(\w+)=("[^"]*"|\S+)`)

// tag adds an element to the structure tree of the page. Its index is that of the order in which its parent's kids
// come, unless it is given.
func (p *contentParser) tag(rest string) error {
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return fmt.Errorf("tag %q: want depth and role", rest)
	}
	depth, err := strconv.Atoi(fields[0])
	if err != nil {
		return err
	}
	e := &document.StructElement{Role: fields[1], RowSpan: 1, ColSpan: 1}
	kids := &p.page().Structure
	for range depth {
		if len(*kids) == 0 || (*kids)[len(*kids)-1].Element == nil {
			return fmt.Errorf("tag %q: nothing to be in", rest)
		}
		kids = &(*kids)[len(*kids)-1].Element.Kids
	}
	index := len(*kids)
	for _, m := range tagKey.FindAllStringSubmatch(rest, -1) {
		value := strings.Trim(m[2], `"`)
		switch m[1] {
		case "alt":
			e.Alt = value
		case "actual":
			e.ActualText = value
		case "lang":
			e.Lang = value
		case "scope":
			e.Scope = value
		case "index":
			index, err = strconv.Atoi(value)
		case "rowspan":
			e.RowSpan, err = strconv.Atoi(value)
		case "colspan":
			e.ColSpan, err = strconv.Atoi(value)
		case "mcid":
			for _, s := range strings.Split(value, ",") {
				var id int
				if id, err = strconv.Atoi(s); err != nil {
					return err
				}
				e.Kids = append(e.Kids, document.StructKid{Index: len(e.Kids), MCID: int32(id)})
			}
		default:
			return fmt.Errorf("tag: unknown key %q", m[1])
		}
		if err != nil {
			return err
		}
	}
	*kids = append(*kids, document.StructKid{Index: index, Element: e, MCID: -1})
	return nil
}
