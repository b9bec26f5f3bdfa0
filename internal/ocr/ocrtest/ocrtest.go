// Package ocrtest puts a program of the name tesseract on the PATH of a test: the test binary itself, which answers as
// the test says. So tests of recognition need no Tesseract, and always see the same.
package ocrtest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The files in the folder of the program that say how it answers.
const (
	languagesFile = "languages"
	answerFile    = "answer"
	logFile       = "log"
)

// Special answers of the program, in place of hOCR.
const (
	Hang  = "hang"  // never
	Flood = "flood" // without end
	Crash = "crash" // with a failure

	// Meet begins an answer that is given once another picture is being read as well.
	Meet = "meet\n"
)

// Main is to be called first in TestMain: in a process that Install's program runs in, it answers and exits. turned, when
// not nil, gives the answer for a picture in place of the one given to Install.
func Main(turned func(width, height int, pixels []byte) string) {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") != "tesseract" {
		return
	}
	dir := filepath.Dir(os.Args[0])
	for _, a := range os.Args[1:] {
		if a == "--list-langs" {
			languages, _ := os.ReadFile(filepath.Join(dir, languagesFile))
			fmt.Printf("List of available languages in %q (2):\n%s\n", "/tessdata/", strings.ReplaceAll(string(languages), " ", "\n"))
			os.Exit(0)
		}
	}
	record(dir)
	var width, height, most int
	if _, err := fmt.Fscanf(os.Stdin, "P5\n%d %d\n%d\n", &width, &height, &most); err != nil {
		fmt.Fprintln(os.Stderr, "no picture:", err)
		os.Exit(1)
	}
	pixels, err := io.ReadAll(os.Stdin)
	if err != nil || len(pixels) != width*height {
		fmt.Fprintln(os.Stderr, "a picture of", len(pixels), "pixels:", err)
		os.Exit(1)
	}
	answer, _ := os.ReadFile(filepath.Join(dir, answerFile))
	text, meet := strings.CutPrefix(string(answer), Meet)
	for meet && len(runs(dir)) < 2 {
		time.Sleep(time.Millisecond) // nobody tells
	}
	if turned != nil && text == "" {
		text = turned(width, height, pixels)
	}
	switch text {
	case Hang:
		time.Sleep(time.Hour) // it is killed before
	case Flood:
		for {
			if _, err := fmt.Println(strings.Repeat("<p>", 1000)); err != nil {
				os.Exit(1)
			}
		}
	case Crash:
		fmt.Fprintln(os.Stderr, "it does not work")
		os.Exit(3)
	}
	fmt.Print(text)
	os.Exit(0)
}

// record appends the process id, arguments and environment to the log: one line a run.
func record(dir string) {
	f, err := os.OpenFile(filepath.Join(dir, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_, _ = fmt.Fprintf(f, "%d %s | %s\n", os.Getpid(), strings.Join(os.Args[1:], " "), strings.Join(os.Environ(), " "))
	_ = f.Close()
}

// A Program is the installed one.
type Program struct {
	tb  testing.TB
	dir string
}

// Install puts the program on the PATH of the test, alone, with models for the languages, separated by spaces. It
// answers each picture with answer: hOCR, or one of the special answers.
func Install(tb testing.TB, languages, answer string) *Program {
	tb.Helper()
	exe, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	p := &Program{tb: tb, dir: tb.TempDir()}
	name := "tesseract"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if err := os.Symlink(exe, filepath.Join(p.dir, name)); err != nil {
		tb.Fatal(err)
	}
	for file, text := range map[string]string{languagesFile: languages, answerFile: answer} {
		if err := os.WriteFile(filepath.Join(p.dir, file), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Setenv("PATH", p.dir)
	return p
}

// Uninstall empties the PATH of the test.
func Uninstall(tb testing.TB) {
	tb.Helper()
	tb.Setenv("PATH", tb.TempDir())
}

// Runs gives a line for each picture read so far: the process id, the arguments, " | " and the environment.
func (p *Program) Runs() []string { return runs(p.dir) }

func runs(dir string) []string {
	data, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		return nil
	}
	lines := strings.Split(string(data), "\n")
	return lines[:len(lines)-1] // what follows the last line's end is being written
}

// HOCR is an answer with lines of text: the first one at (left, top), the others
// below it, size pixels high. Words are as wide as their letters times half of size.
func HOCR(left, top, size int, lines ...string) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<html><body><div class='ocr_page' title='image \"stdin\"; bbox 0 0 10000 10000'>\n")
	for i, text := range lines {
		y := top + i*size*5/4
		x := left
		var words strings.Builder
		for _, w := range strings.Fields(text) {
			width := max(len([]rune(w))*size/2, 1)
			fmt.Fprintf(&words, "<span class='ocrx_word' title='bbox %d %d %d %d; x_wconf 95'>%s</span>\n", x, y, x+width, y+size*4/5, w)
			x += width + size/3
		}
		fmt.Fprintf(&b, "<span class='ocr_line' title=\"bbox %d %d %d %d; baseline 0 %d; x_size %d\">\n%s</span>\n", left, y, x, y+size, -size/5, size, words.String())
	}
	b.WriteString("</div></body></html>\n")
	return b.String()
}
