package pdfium

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tetratelabs/wazero"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func testRuntime(t *testing.T) *Runtime {
	t.Helper()
	dir, err := pdftest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(context.Background(), Config{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Path segments are read from PDFium's memory; this is what its accessors say of them.
func TestPathMemory(t *testing.T) {
	b := pdftest.New()
	b.Page(400, 600).Raw("1 w 10 20 m 30 40 l 50 60 70 80 90 100 c h 5 5 m 6 6 l S 1 2 3 4 re f")
	pdf := b.Bytes()
	f, err := testRuntime(t).Open(bytes.NewReader(pdf), int64(len(pdf)), "")
	if err != nil {
		t.Fatal(err)
	}
	i := f.inst
	page, err := f.loadPage(1)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for k := range i.num(fnPageCountObjects, page) {
		object := i.ptr(fnPageGetObject, page, uint64(k))
		w := walker{inst: i}
		if !w.readPoints(object, identity) {
			t.Fatal("points not readable")
		}
		var want []point
		for n := range i.num(fnPathCountSegments, object) {
			s := i.ptr(fnPathGetPathSegment, object, uint64(n))
			i.call(fnPathSegmentGetPoint, s, i.at(0), i.at(4))
			x, y := f32(i.out(0, 4)), f32(i.out(4, 4))
			want = append(want, point{x, y, uint8(i.num(fnPathSegmentGetType, s)), i.ok(fnPathSegmentGetClose, s)})
		}
		if diff := cmp.Diff(want, w.points, cmp.AllowUnexported(point{})); diff != "" {
			t.Errorf("object %d: %s", k, diff)
		}
		total += len(want)
	}
	if total < 10 {
		t.Errorf("only %d segments compared", total)
	}
}

func TestSandbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "host.pdf")
	if err := os.WriteFile(path, pdftest.Text("host"), 0o600); err != nil {
		t.Fatal(err)
	}
	i := testRuntime(t).inst
	p := i.cstring(path)
	doc, err := i.mod.ExportedFunction("FPDF_LoadDocument").Call(context.Background(), uint64(p), 0)
	if err != nil {
		t.Fatal(err)
	}
	if doc[0] != 0 {
		t.Error("the module opened a file of the host")
	}
	t.Run("memory outside the module cannot be addressed", func(t *testing.T) {
		b := i.read(0xFFFFFF00, 64)
		if len(b) != 64 || i.err == nil {
			t.Errorf("%d bytes, error %v", len(b), i.err)
		}
	})
}

func TestReadFile_refuses_what_it_cannot_give(t *testing.T) {
	r := testRuntime(t)
	r.inst.readers[7] = bytes.NewReader([]byte("hello"))
	r.inst.readers[8] = failingReader{}
	size := uint64(r.inst.mem.Size())
	for name, c := range map[string]struct {
		id, position, address, size uint64
		want                        uint64
	}{
		"a part of the file":      {7, 1, uint64(r.inst.scratch), 4, 1},
		"beyond the file":         {7, 1, uint64(r.inst.scratch), 5, 0},
		"an unknown file":         {9, 0, uint64(r.inst.scratch), 1, 0},
		"beyond the memory":       {7, 0, size - 1, 2, 0},
		"a file that cannot read": {8, 0, uint64(r.inst.scratch), 1, 0},
	} {
		stack := []uint64{c.id, c.position, c.address, c.size}
		r.readFile(context.Background(), r.inst.mod, stack)
		if stack[0] != c.want {
			t.Errorf("%s: got %d, want %d", name, stack[0], c.want)
		}
	}
	if !errors.Is(r.inst.readErr, errBadDisk) {
		t.Errorf("kept error %v", r.inst.readErr)
	}
}

var errBadDisk = errors.New("bad disk")

type failingReader struct{}

func (failingReader) ReadAt([]byte, int64) (int, error) { return 0, errBadDisk }

func TestPrepareCache(t *testing.T) {
	t.Run("makes the directory for us alone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "a", "cache")
		lock, err := prepareCache(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.release()
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o700 {
			t.Errorf("mode %o, want 700", info.Mode().Perm())
		}
	})
	t.Run("refuses a directory that others can write to", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := New(context.Background(), Config{CacheDir: dir}); err == nil {
			t.Error("accepted")
		}
	})
}

func TestCompile_replaces_a_damaged_cache(t *testing.T) {
	// One function that does nothing: PDFium itself takes too long for a test.
	module := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b")
	dir := filepath.Join(t.TempDir(), "cache")
	compile := func() {
		t.Helper()
		var r Runtime
		if err := r.compile(context.Background(), wazero.NewRuntimeConfig(), dir, module); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	compile()
	files, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache files %v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{"empty": nil, "half": whole[:len(whole)/2], "changed": append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1)} {
		if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		compile()
		if again, err := os.ReadFile(files[0]); err != nil || len(again) != len(whole) {
			t.Errorf("%s: %d bytes instead of %d, %v", name, len(again), len(whole), err)
		}
	}
}

func TestBlockReader(t *testing.T) {
	data := make([]byte, 10*blockSize+123)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	b := newBlockReader(bytes.NewReader(data), int64(len(data)))
	t.Run("any part reads as from the source", func(t *testing.T) {
		for range 2000 {
			off := rng.IntN(len(data))
			n := rng.IntN(min(2*blockSize, len(data)-off) + 1)
			got := make([]byte, n)
			if read, err := b.ReadAt(got, int64(off)); err != nil || read != n {
				t.Fatalf("%d bytes at %d: %d, %v", n, off, read, err)
			}
			if !bytes.Equal(got, data[off:off+n]) {
				t.Fatalf("%d bytes at %d differ", n, off)
			}
		}
	})
	t.Run("reading over the end gives what there is and EOF", func(t *testing.T) {
		got := make([]byte, 100)
		n, err := b.ReadAt(got, int64(len(data)-40))
		if n != 40 || !errors.Is(err, io.EOF) || !bytes.Equal(got[:40], data[len(data)-40:]) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	t.Run("a failed read is not remembered as data", func(t *testing.T) {
		b := newBlockReader(failingReader{}, 100)
		for range 2 {
			if _, err := b.ReadAt(make([]byte, 10), 0); !errors.Is(err, errBadDisk) {
				t.Errorf("error %v", err)
			}
		}
	})
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"D:20240229123456Z":         "2024-02-29T12:34:56Z",
		"D:20240229123456+02'00'":   "2024-02-29T12:34:56+02:00",
		"D:20240229123456-0330":     "2024-02-29T12:34:56-03:30",
		"D:20240229123456+02":       "2024-02-29T12:34:56+02:00",
		"D:20240229123456Z00'00'":   "2024-02-29T12:34:56Z",
		"D:202402291234":            "2024-02-29T12:34:00Z",
		"20240229":                  "2024-02-29T00:00:00Z",
		"D:2024":                    "2024-01-01T00:00:00Z",
		"D:20240230000000Z":         "",
		"D:20240":                   "",
		"":                          "",
		"Thu Feb 29 12:34:56 2024":  "",
		"D:99999999999999+99'99'":   "",
		"D:20240229123456+02'00'99": "2024-02-29T12:34:56+02:00",
	} {
		if got := parseDate(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestDescribeFont(t *testing.T) {
	type look struct {
		Name         string
		Bold, Italic bool
		Weight       int
	}
	for _, c := range []struct {
		name   string
		flags  int
		weight int
		angle  float64
		want   look
	}{
		{"ABCDEF+Arial-BoldMT", 32, 0, 0, look{"Arial-BoldMT", true, false, 700}},
		{"Arial-BoldItalicMT", 32, 850, -12, look{"Arial-BoldItalicMT", true, true, 850}},
		{"CMBX12", 4, 0, 0, look{"CMBX12", true, false, 700}},
		{"CMTI10", 4, 345, -14, look{"CMTI10", false, true, 345}},
		{"NimbusRomNo9L-Medi", 4, 0, 0, look{"NimbusRomNo9L-Medi", true, false, 700}},
		{"NimbusRomNo9L-ReguItal", 4, 0, 0, look{"NimbusRomNo9L-ReguItal", false, true, 400}},
		{"HelveticaNeue-Medium", 32, 800, 0, look{"HelveticaNeue-Medium", false, false, 800}},
		{"MinionPro-It", 96, 0, 0, look{"MinionPro-It", false, true, 400}},
		{"Calibri", 1<<18 | 32, 0, 0, look{"Calibri", true, false, 700}},
		{"F42", 4, 760, 0, look{"F42", true, false, 760}},
		{"ABCDEF+", 0, -1, 0, look{"", false, false, 400}},
		{"Calibri", -1, 2000, 0, look{"Calibri", false, false, 900}},
		{"Bitstream", 0, 0, 0, look{"Bitstream", false, false, 400}},
	} {
		d := describeFont(c.name, c.flags, c.weight, c.angle)
		if diff := cmp.Diff(c.want, look{d.Name, d.Bold, d.Italic, d.Weight}); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestFontOfOneWidthIsToldByFlagOrName(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags int
		want  bool
	}{
		{"Courier-Bold", 0, true},
		{"ABCDEF+SourceCodePro-Regular", 4, true},
		{"CMTT10", 4, true},
		{"DejaVuSansMono", 4, true},
		{"Unheard", 1, true},
		{"Calibri", 32, false},
		{"MonotypeCorsiva", 4, false},
		{"CMR10", 4, false},
	} {
		if got := describeFont(c.name, c.flags, 0, 0).Fixed; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDegrees(t *testing.T) {
	for _, c := range []struct{ dx, dy, want float64 }{
		{1, 0, 0}, {0, 1, 90}, {-1, 0, 180}, {0, -1, 270}, {1, -1, 315}, {1, 1e-5, 0}, {1, -1e-5, 0}, {0, 0, 0},
	} {
		if got := degrees(c.dx, c.dy); got != c.want {
			t.Errorf("(%v, %v): got %v, want %v", c.dx, c.dy, got, c.want)
		}
	}
}

func TestTranslate(t *testing.T) {
	for _, c := range []struct {
		font     string
		in, want rune
	}{
		{"SymbolMT", 0xF0B7, '•'},
		{"Symbol", 0xF061, 'α'},
		{"Symbol", 0xF020, ' '},
		{"Symbol", 0xF0FE, '⎭'},
		{"Symbol", 0xF0F0, 0xF0F0},
		{"Symbol", 'α', 'α'},
		{"Symbol", 0xF07F, 0xF07F},
		{"Symbol", 0xF0FF, 0xF0FF},
		{"Wingdings-Regular", 0xF06E, '■'},
		{"Wingdings", 'n', '■'},
		{"Wingdings", 0xFC, '✓'},
		{"Wingdings", 'A', 'A'},
		{"Wingdings", '✓', '✓'},
		{"Wingdings2", 'n', 'n'},
		{"Arial", 0xF06E, 0xF06E},
	} {
		if got := charsetOf(c.font).translate(c.in); got != c.want {
			t.Errorf("%s %U: got %U, want %U", c.font, c.in, got, c.want)
		}
	}
}

func TestTemper(t *testing.T) {
	for _, c := range []struct {
		angle    float64
		in, want document.Box
	}{
		{0, document.Box{Left: 100, Top: 150, Right: 106, Bottom: 220}, document.Box{Left: 100, Top: 190.5, Right: 106, Bottom: 202.5}},
		{180, document.Box{Left: 94, Top: 180, Right: 100, Bottom: 250}, document.Box{Left: 94, Top: 197.5, Right: 100, Bottom: 209.5}},
		{90, document.Box{Left: 80, Top: 200, Right: 150, Bottom: 206}, document.Box{Left: 97.5, Top: 200, Right: 109.5, Bottom: 206}},
		{270, document.Box{Left: 50, Top: 194, Right: 120, Bottom: 200}, document.Box{Left: 90.5, Top: 194, Right: 102.5, Bottom: 200}},
		{0, document.Box{Left: 100, Top: 190, Right: 106, Bottom: 203}, document.Box{Left: 100, Top: 190, Right: 106, Bottom: 203}},
		{45, document.Box{Left: 100, Top: 150, Right: 170, Bottom: 220}, document.Box{Left: 100, Top: 150, Right: 170, Bottom: 220}},
	} {
		g := document.Glyph{Loose: c.in, OriginX: 100, OriginY: 200, Size: 10, Angle: c.angle}
		temper(&g)
		if diff := cmp.Diff(c.want, g.Loose); diff != "" {
			t.Errorf("at %v degrees: %s", c.angle, diff)
		}
	}
}

func TestAppendRune_joins_surrogates(t *testing.T) {
	g := document.Glyph{Rune: 0xD835}
	appendRune(&g, 0xDC00)
	if g.Rune != 0x1D400 || g.Extra != "" {
		t.Errorf("%U %q", g.Rune, g.Extra)
	}
}

// trueType is a font program with nothing but a character map of one format 4 segment: the characters from
// first to last have the glyphs from glyph on.
func trueType(first, last, glyph uint16) []byte {
	var b []byte
	u16 := func(v ...uint16) {
		for _, x := range v {
			b = binary.BigEndian.AppendUint16(b, x)
		}
	}
	u16(1, 0, 1, 0, 0, 0)                    // version, one table
	b = append(b, "cmap\x00\x00\x00\x00"...) // tag, check sum
	u16(0, 28, 0, 44)                        // offset, length
	u16(0, 1, 3, 1, 0, 12)                   // one subtable, Windows, Unicode, at 12
	u16(4, 32, 0, 4, 4, 1, 0)                // format 4, two segments
	u16(last, 0xFFFF, 0, first, 0xFFFF)      // ends, padding, starts
	u16(glyph-first, 1, 0, 0)                // deltas, offsets
	return b
}

func TestRunesByGlyph(t *testing.T) {
	got := runesByGlyph(trueType('a', 'c', 68))
	if diff := cmp.Diff(map[uint32]rune{68: 'a', 69: 'b', 70: 'c'}, got); diff != "" {
		t.Error(diff)
	}
	for name, data := range map[string][]byte{
		"nothing":            nil,
		"another font":       []byte("OTTO and more"),
		"a truncated font":   trueType('a', 'c', 68)[:40],
		"only control codes": trueType(1, 9, 68),
	} {
		if got := runesByGlyph(data); got != nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestRecoverRunes(t *testing.T) {
	text := func(codes string, shift int) (group []unmapped) {
		for i, c := range codes {
			group = append(group, unmapped{i, uint32(int(c) + shift)})
		}
		return group
	}
	read := func(group []unmapped, r reading) string {
		if r == nil {
			return ""
		}
		var s []rune
		for _, m := range group {
			s = append(s, r(m.code))
		}
		return string(s)
	}
	full := runesByGlyph(trueType(' ', 0x2FF, 3)) // as ordinary fonts have them: glyph 3 is the space
	t.Run("codes that are glyph numbers", func(t *testing.T) {
		g := text("some words", 3-' ')
		if got := read(g, bestReading(g, fontReadings(full))); got != "some words" {
			t.Errorf("%q", got)
		}
	})
	t.Run("codes that are Unicode", func(t *testing.T) {
		g := text("einige Wörter", 0)
		if got := read(g, bestReading(g, fontReadings(full))); got != "einige Wörter" {
			t.Errorf("%q", got)
		}
	})
	t.Run("codes that the font does not explain", func(t *testing.T) {
		g := text("some words", 5000)
		if r := bestReading(g, fontReadings(full)); r != nil {
			t.Errorf("%q", read(g, r))
		}
	})
	t.Run("bitmap fonts with ASCII codes", func(t *testing.T) {
		g := text("Booked on 01/14, 2016", 0)
		if got := read(g, bestReading(g, []reading{asciiReading(g)})); got != "Booked on 01/14, 2016" {
			t.Errorf("%q", got)
		}
	})
	t.Run("bitmap fonts with codes as they came", func(t *testing.T) {
		g := text("!\"#$%&'()*+", 0)
		if r := bestReading(g, []reading{asciiReading(g)}); r != nil {
			t.Errorf("%q", read(g, r))
		}
	})
}

// FuzzRunesByGlyph: fonts come from strangers, and this code runs outside the sandbox.
func FuzzRunesByGlyph(f *testing.F) {
	f.Add(trueType('a', 'z', 68))
	f.Fuzz(func(t *testing.T, data []byte) {
		for glyph, r := range runesByGlyph(data) {
			if glyph == 0 || glyph > 0xFFFF || r < ' ' || r > 0x10FFFF {
				t.Errorf("glyph %d is %U", glyph, r)
			}
		}
	})
}

func TestOrderLetters_reads_ligatures_from_the_right(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"ال", "لا"},
		{"إل", "لإ"},
		{"لا", "لا"},
		{"هللا", "الله"},
		{"مل", "لم"},
		{"\u064Eب", "ب\u064E"},
		{"ب\u064E", "ب\u064E"},
		{"fi", "fi"},
		{"的确", "的确"},
	} {
		runes := []rune(c.in)
		first, rest := orderLetters(runes[0], string(runes[1:]))
		if got := string(first) + rest; got != c.want {
			t.Errorf("%q became %q, want %q", c.in, got, c.want)
		}
	}
}

// A file whose objects have come to take much memory is opened anew between two pages, with its password, and nobody
// notices.
func TestContent_opens_large_files_anew(t *testing.T) {
	b := pdftest.New()
	const pages = 3 * leastSince
	for n := range pages {
		b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, strconv.Itoa(n+1))
	}
	pdf := b.Encrypted("user", "owner")
	f, err := testRuntime(t).Open(bytes.NewReader(pdf), int64(len(pdf)), "user")
	if err != nil {
		t.Fatal(err)
	}
	anew := 0
	var c document.Content
	for n := 1; n <= pages; n++ {
		f.mark = 0 // as if the module's memory had grown
		if err := f.Content(n, &c); err != nil {
			t.Fatal(err)
		}
		if f.since == 0 {
			anew++
		}
		var text []rune
		for _, g := range c.Glyphs {
			text = append(text, g.Rune)
		}
		if string(text) != strconv.Itoa(n) {
			t.Errorf("page %d shows %q", n, string(text))
		}
	}
	if anew != 2 {
		t.Errorf("opened anew %d times", anew)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if f.password != "" {
		t.Error("the password is kept")
	}
}
