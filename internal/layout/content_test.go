package layout_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/ragify/ragify/internal/document"
)

// parseContent reads pages written by hand, one thing a line, in points from the page's top left:
//
//	page WIDTH HEIGHT [NUMBER]               begins a page; without a number, the next one
//	font NAME BASE [bold] [italic] [fixed] [math]   R (Times-Roman), B (bold) and I (italic) are there already
//	text X Y SIZE FONT "STRING" [KEY=VALUE…] a line of text on baseline Y; a character is half its size wide
//	     angle=DEGREES track=POINTS color=RRGGBB invalid mcid=ID artifact
//	     rtl   from X to the left, numbers and Latin words in it the other way round; down   upright characters below each other, the first one's top at Y
//	para X Y SIZE LEADING FONT               lines of text until an empty line
//	line|fill|stroke|curve X0 Y0 X1 Y1 [RRGGBB]
//	image X0 Y0 X1 Y1 [MCID]
//	tag DEPTH ROLE [KEY=VALUE…]              an element of the structure tree, below the last one of the depth above
//	     mcid=ID,ID… index=N rowspan=N colspan=N scope=NAME lang=TAG alt="STRING" actual="STRING"
//	link X0 Y0 X1 Y1 URI
//	bookmark LEVEL PAGE TITLE…
//	# comment
func parseContent(source string) ([]document.Content, []document.Outline, error) {
	p := contentParser{lines: strings.Split(source, "\n")}
	for p.at < len(p.lines) {
		n := p.at + 1
		line := strings.TrimSpace(p.lines[p.at])
		p.at++
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.directive(line); err != nil {
			return nil, nil, fmt.Errorf("content line %d: %w", n, err)
		}
	}
	return p.pages, p.outline, nil
}

type contentParser struct {
	lines   []string
	at      int
	pages   []document.Content
	outline []document.Outline
	fonts   map[string]int32
	object  int32
}

func (p *contentParser) page() *document.Content { return &p.pages[len(p.pages)-1] }

func (p *contentParser) directive(line string) error {
	kind, rest, _ := strings.Cut(line, " ")
	if len(p.pages) == 0 && kind != "page" {
		return fmt.Errorf("%q before the first page", kind)
	}
	fields := strings.Fields(rest)
	switch kind {
	case "page":
		v, err := numbers(fields, 2)
		if err != nil {
			return err
		}
		number := 1
		if len(p.pages) > 0 {
			number = p.page().Number + 1
		}
		if len(fields) > 2 {
			if number, err = strconv.Atoi(fields[2]); err != nil {
				return err
			}
		}
		p.pages = append(p.pages, document.Content{Number: number, Width: v[0], Height: v[1]})
		p.fonts = make(map[string]int32)
		p.addFont("R", document.Font{Name: "Times-Roman", Weight: 400})
		p.addFont("B", document.Font{Name: "Times-Bold", Weight: 700, Bold: true})
		p.addFont("I", document.Font{Name: "Times-Italic", Weight: 400, Italic: true})
	case "font":
		f := document.Font{Name: fields[1], Weight: 400}
		for _, s := range fields[2:] {
			f.Bold, f.Italic, f.Fixed, f.Math = f.Bold || s == "bold", f.Italic || s == "italic", f.Fixed || s == "fixed", f.Math || s == "math"
			f.Math = f.Math || s == "math"
		}
		p.addFont(fields[0], f)
	case "bookmark":
		v, err := numbers(fields, 2)
		if err != nil {
			return err
		}
		title := strings.Join(fields[2:], " ")
		p.outline = append(p.outline, document.Outline{Title: title, Level: int(v[0]), Page: int(v[1]), Top: -1})
	case "text":
		return p.text(rest)
	case "para":
		return p.para(fields)
	case "line", "fill", "stroke", "curve":
		return p.rule(kind, fields)
	case "tag":
		return p.tag(rest)
	case "image", "link":
		v, err := numbers(fields, 4)
		if err != nil {
			return err
		}
		b := document.Box{Left: v[0], Top: v[1], Right: v[2], Bottom: v[3]}
		if kind == "image" {
			img := document.Image{Box: b, Width: 100, Height: 100, MCID: -1}
			if len(fields) > 4 {
				id, err := strconv.Atoi(fields[4])
				if err != nil {
					return err
				}
				img.MCID = int32(id)
			}
			p.page().Images = append(p.page().Images, img)
		} else {
			p.page().Links = append(p.page().Links, document.Link{Box: b, URI: fields[4]})
		}
	default:
		return fmt.Errorf("unknown directive %q", kind)
	}
	return nil
}

func (p *contentParser) addFont(name string, f document.Font) {
	p.fonts[name] = int32(len(p.page().Fonts))
	p.page().Fonts = append(p.page().Fonts, f)
}

func numbers(fields []string, n int) ([]float64, error) {
	if len(fields) < n {
		return nil, fmt.Errorf("%d numbers, want %d", len(fields), n)
	}
	out := make([]float64, n)
	for i := range out {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

type textStyle struct {
	size, angle, track float64
	font, mcid         int32
	color              uint32
	invalid, artifact  bool
	rtl, down          bool
	mode               uint8
}

func (p *contentParser) text(rest string) error {
	head, tail, ok := strings.Cut(rest, `"`)
	if !ok {
		return fmt.Errorf("text without a string")
	}
	quoted, err := strconv.QuotedPrefix(`"` + tail)
	if err != nil {
		return err
	}
	s, err := strconv.Unquote(quoted)
	if err != nil {
		return err
	}
	fields := strings.Fields(head)
	v, err := numbers(fields, 3)
	if err != nil {
		return err
	}
	font, ok := p.fonts[fields[3]]
	if !ok {
		return fmt.Errorf("unknown font %q", fields[3])
	}
	style := textStyle{size: v[2], font: font, mcid: -1, color: 0xFF}
	for _, f := range strings.Fields((`"` + tail)[len(quoted):]) {
		key, value, _ := strings.Cut(f, "=")
		switch key {
		case "angle":
			style.angle, err = strconv.ParseFloat(value, 64)
		case "track":
			style.track, err = strconv.ParseFloat(value, 64)
		case "color":
			var rgb uint64
			rgb, err = strconv.ParseUint(value, 16, 32)
			style.color = uint32(rgb)<<8 | 0xFF
		case "mcid":
			var id int64
			id, err = strconv.ParseInt(value, 10, 32)
			style.mcid = int32(id)
		case "artifact":
			style.artifact = true
		case "invalid":
			style.invalid = true
		case "stroked":
			style.mode = 2
		case "rtl":
			style.rtl = true
		case "down":
			style.down = true
		default:
			return fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			return err
		}
	}
	p.show(v[0], v[1], s, style)
	return nil
}

func (p *contentParser) para(fields []string) error {
	v, err := numbers(fields, 4)
	if err != nil {
		return err
	}
	style := textStyle{size: v[2], font: p.fonts[fields[4]], mcid: -1, color: 0xFF}
	for y := v[1]; p.at < len(p.lines) && strings.TrimSpace(p.lines[p.at]) != ""; p.at++ {
		p.show(v[0], y, p.lines[p.at], style)
		y += v[3]
	}
	return nil
}

// show appends glyphs that are half as wide as high, with an ascent of 0.7 and a descent of 0.2. Wide East
// Asian characters are as wide as high.
func (p *contentParser) show(x, y float64, s string, style textStyle) {
	sin, cos := math.Sincos(style.angle * math.Pi / 180)
	along := 0.0
	if style.down {
		y += 0.88 * style.size // where fonts have the baseline in the square of an ideograph
	}
	if style.rtl {
		s = leftRun.ReplaceAllStringFunc(s, reversed)
	}
	p.object++
	for _, r := range s {
		width := style.size / 2
		if r >= 0x2E80 {
			width = style.size
		}
		if unicode.Is(unicode.Mn, r) {
			width = 0
		}
		if style.rtl {
			x -= width + style.track
		}
		g := document.Glyph{
			Rune: r, OriginX: x + along*cos, OriginY: y + along*sin, Size: style.size, Angle: style.angle,
			Font: style.font, Object: p.object, MCID: style.mcid, Artifact: style.artifact, Color: style.color, Mode: style.mode, Invalid: style.invalid,
		}
		if style.invalid {
			g.Rune = 0
		}
		g.Box = turnedBox(g.OriginX, g.OriginY, sin, cos, width, 0.7*style.size, 0)
		g.Loose = turnedBox(g.OriginX, g.OriginY, sin, cos, width, 0.7*style.size, 0.2*style.size)
		if r == ' ' {
			g.Box = document.Box{}
		}
		p.page().Glyphs = append(p.page().Glyphs, g)
		switch {
		case style.down:
			y += style.size
		case !style.rtl:
			along += width + style.track
		}
	}
}

// leftRun is what keeps its direction in a line that runs from right to left.
var leftRun = regexp.MustCompile(`[0-9A-Za-z]([0-9A-Za-z .,:]*[0-9A-Za-z])?`)

func reversed(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

// turnedBox is the bounding box of a glyph's rectangle around its origin.
func turnedBox(x, y, sin, cos, width, ascent, descent float64) document.Box {
	b := document.Box{Left: math.Inf(1), Top: math.Inf(1), Right: math.Inf(-1), Bottom: math.Inf(-1)}
	for _, corner := range [4][2]float64{{0, -ascent}, {width, -ascent}, {0, descent}, {width, descent}} {
		cx, cy := x+corner[0]*cos-corner[1]*sin, y+corner[0]*sin+corner[1]*cos
		b.Left, b.Right = math.Min(b.Left, cx), math.Max(b.Right, cx)
		b.Top, b.Bottom = math.Min(b.Top, cy), math.Max(b.Bottom, cy)
	}
	return b
}

func (p *contentParser) rule(kind string, fields []string) error {
	v, err := numbers(fields, 4)
	if err != nil {
		return err
	}
	r := document.Rule{Box: document.Box{Left: v[0], Top: v[1], Right: v[2], Bottom: v[3]}, Width: 0.5, Color: 0xFF, MCID: -1}
	switch kind {
	case "line":
		r.Kind = document.RuleLine
	case "stroke":
		r.Kind = document.RuleStroke
	case "curve":
		r.Kind = document.RuleCurve
	case "fill":
		r.Kind, r.Width, r.Color = document.RuleFill, 0, 0xDDDDDDFF
	}
	if len(fields) > 4 {
		rgb, err := strconv.ParseUint(fields[4], 16, 32)
		if err != nil {
			return err
		}
		r.Color = uint32(rgb)<<8 | 0xFF
	}
	p.page().Rules = append(p.page().Rules, r)
	return nil
}
