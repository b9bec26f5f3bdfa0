package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// isTerminal reports whether a person watches w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// shown is the path of a file as messages name it: as it is, or quoted when characters in it would end the line or be a
// command to a terminal.
func shown(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// bar shows progress. Its methods are not safe for concurrent use.
type bar interface {
	set(done, total int)
	add()
	clear()
}

// noBar is for output that nobody watches.
type noBar struct{}

func (noBar) set(int, int) {}
func (noBar) add()         {}
func (noBar) clear()       {}

// terminalBar draws on a terminal. What the library reports are failures to draw, which harm nothing.
type terminalBar struct{ b *progressbar.ProgressBar }

func newBar(w io.Writer, total int) terminalBar {
	return terminalBar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionShowCount(),
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
	)}
}

func (t terminalBar) set(done, total int) {
	t.b.ChangeMax(total)
	_ = t.b.Set(done)
}

func (t terminalBar) add()   { _ = t.b.Add(1) }
func (t terminalBar) clear() { _ = t.b.Clear() }
