package export

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/option"
)

// writeSource writes what a reader finds a picture by: its name in the archive, or a data URI, which never is in memory
// as a whole. Neither holds a character that is markup in any of the formats.
func writeSource(w *bufio.Writer, p *document.Picture, o option.Options) (err error) {
	if o.ImageOutput != "embedded" {
		w.WriteString(p.Name)
		return nil // bufio keeps the first error for Flush
	}
	file, err := os.Open(p.Path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w.WriteString("data:" + p.Type + ";base64,")
	encoder := base64.NewEncoder(base64.StdEncoding, w)
	_, err = io.Copy(encoder, file)
	return errors.Join(err, encoder.Close())
}

// writeSpliced writes JSON in which the data of pictures are empty, with the pictures in their places.
func writeSpliced(w *bufio.Writer, raw []byte, pictures []*document.Picture, o option.Options) error {
	// In a string the quotes would be escaped, so this is a member and nothing that the document says.
	const member = `"data":"`
	for _, p := range pictures {
		at := bytes.Index(raw, []byte(member+`"`)) + len(member)
		w.Write(raw[:at])
		if err := writeSource(w, p, o); err != nil {
			return err
		}
		raw = raw[at:]
	}
	w.Write(raw)
	return nil // bufio keeps the first error for Flush
}

// picturesIn appends the pictures of e and of the elements in it to list, in the order in which JSON has them.
func picturesIn(e *document.Element, list []*document.Picture) []*document.Picture {
	if e.Picture != nil {
		list = append(list, e.Picture)
	}
	for i := range e.Children {
		list = picturesIn(&e.Children[i], list)
	}
	return list
}

// captionsOf gives the captions of the figures and tables among elements. A caption is that of a whole row of figures
// which follow each other closely: of the parts (a), (b) and (c) of one.
func captionsOf(list []document.Element) map[*document.Element]*document.Element {
	captions := make(map[*document.Element]*document.Element)
	pairs := pairCaptions(list)
	for i := range list {
		if !pairs[i] || i+1 == len(list) {
			continue
		}
		about, caption, step := i, i+1, -1
		if list[i].Kind == document.Caption {
			about, caption, step = i+1, i, 1
		}
		captions[&list[about]] = &list[caption]
		for k := about + step; k >= 0 && k < len(list); k += step {
			e, before := &list[k], &list[k-step]
			if e.Kind != document.Figure || before.Kind != document.Figure || captions[e] != nil || gap(e.Box, before.Box) > captionReach {
				break
			}
			captions[e] = &list[caption]
		}
	}
	return captions
}

// altText is a line that stands for the picture of a figure: what the file's tags say, or else how its caption, which
// may be nil, begins.
func altText(e, caption *document.Element, o option.Options) string {
	const longest = 200 // characters of a caption: it follows in full
	lines := []document.Line{{Runs: []document.Run{{Text: e.Alt}}}}
	if e.Alt == "" {
		if caption == nil {
			return ""
		}
		lines = caption.Lines
	}
	text := strings.ReplaceAll(plainText(lines, o), "\n", " ")
	if e.Alt != "" || utf8.RuneCountInString(text) <= longest {
		return text
	}
	text = string([]rune(text)[:longest])
	if at := strings.LastIndexByte(text, ' '); at > len(text)/2 {
		text = text[:at]
	}
	return text + "…"
}
