package stamp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// operations lists the operations of a stream: their operands, as they stand there, and operators.
func operations(stream string) []string {
	var out []string
	t := tokenizer{data: []byte(stream)}
	for op, ok := t.next(); ok; op, ok = t.next() {
		var args []string
		for _, a := range op.args {
			args = append(args, stream[a.start:a.end])
		}
		out = append(out, strings.Join(append(args, string(op.name)), " "))
	}
	return out
}

func TestTokenizer(t *testing.T) {
	for _, c := range []struct {
		rule, stream string
		want         []string
	}{
		{"white space and comments separate", "1 0 0 rg%red\n\f\x00q", []string{"1 0 0 rg", "q"}},
		{"delimiters separate", "(a)Tj/F1 12Tf[(b)-3<63>]TJ", []string{"(a) Tj", "/F1 12Tf", "[ (b) -3 <63> ] TJ"}},
		{"strings nest and escape", `(a(b)\)c\\)Tj`, []string{`(a(b)\)c\\) Tj`}},
		{"dictionaries are operands", "/P <</MCID 0/A[1 2]>>BDC EMC", []string{"/P << /MCID 0 /A [ 1 2 ] >> BDC", "EMC"}},
		{"an inline image is one operation", "BI /W 2/H 1/CS/G/BPC 8 ID EI EI Q", []string{"BI", "Q"}},
		{"the end of a compressed image is found by what follows", "BI /W 2/H 1/F/Fl ID x EI\x01 y EI Q", []string{"BI", "Q"}},
		{"what ends too early ends", "q (abc", []string{"q"}},
		{"stray delimiters are dropped", "q ) > } Q", []string{"q", "Q"}},
	} {
		if diff := cmp.Diff(c.want, operations(c.stream)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.rule, diff)
		}
	}
}

func TestToken_decoded(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{`(a\(b\)\\)`, `a(b)\`},
		{`(\101\12\0637)`, "A\n37"},
		{"(a\\\nb\\\r\nc)", "abc"},
		{`(\n\r\t\b\f\x)`, "\n\r\t\b\fx"},
		{"<48 656C6c6F2>", "Hello "},
	} {
		tk := tokenizer{data: []byte(c.raw + "Tj")}
		op, _ := tk.next()
		if got := string(op.args[0].decoded(tk.data)); got != c.want {
			t.Errorf("%s is %q, want %q", c.raw, got, c.want)
		}
	}
}

func TestNameOf(t *testing.T) {
	for raw, want := range map[string]string{"/F1": "F1", "/A#20B": "A B", "/A#2": "A#2", "/#zz": "#zz"} {
		if got := nameOf([]byte(raw)); got != want {
			t.Errorf("%s is %q, want %q", raw, got, want)
		}
	}
}

// FuzzTokenizer checks that the operations of any stream are in order, within it, and made of their operands.
func FuzzTokenizer(f *testing.F) {
	for _, s := range []string{"BT /F1 12 Tf (a) Tj ET", "BI /W 1 /H 1 ID x EI", "[<4", "/A<</B(c)>>BDC"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		tk := tokenizer{data: stream}
		at := 0
		for op, ok := tk.next(); ok; op, ok = tk.next() {
			if op.start < at || op.end <= op.start || op.end > len(stream) {
				t.Fatalf("operation at %d to %d after %d of %d", op.start, op.end, at, len(stream))
			}
			for _, a := range op.args {
				if a.start < op.start || a.end > op.end || a.end < a.start {
					t.Fatalf("operand at %d to %d", a.start, a.end)
				}
				a.decoded(stream)
			}
			at = op.end
		}
	})
}

// FuzzRewrite checks that a stream with marks shows the same, whatever it is: without the marks the operators are
// those that it had, and every mark ends.
func FuzzRewrite(f *testing.F) {
	for _, s := range []string{
		"BT /F1 12 Tf (a) Tj ET", "/P <</MCID 0>> BDC BT /F1 1 Tf (a) Tj EMC ET", "EMC q 1 0 0 rg 0 0 9 9 re f Q", "BT BT /F 1 Tf (a)' ET",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		s := &scanner{base: &Base{}, forms: map[int]formCounts{}, own: map[int]formCounts{}, widths: map[types.IndirectRef]uint8{}, active: map[int]bool{}}
		stream, err := s.scan(content, nil, 0)
		if err != nil {
			return
		}
		text := &PageText{Texts: int(stream.texts), Pictures: int(stream.images)}
		p := &pageTagger{claims: newClaims(text)}
		own := &slot{owner: &node{role: "P"}}
		for i := range p.claims.texts {
			text.Glyphs = append(text.Glyphs, GlyphCount{All: 1, Visible: 1})
			if i%3 > 0 {
				p.claims.texts[i] = []claim{{own, 0, 1, int32(i)}}
			}
		}
		r := rewriter{page: p, scanner: s, stream: stream}
		out, err := r.rewrite()
		if err != nil {
			t.Fatal(err)
		}
		if before, after := drawn(string(content)), drawn(string(out)); !cmp.Equal(before, after) {
			t.Errorf("%q became %q:\n%s", content, out, cmp.Diff(before, after))
		}
		if begun, ended := strings.Count(string(out), ">>BDC\n")+strings.Count(string(out), "/Artifact BMC\n"), strings.Count(string(out), "\nEMC\n"); begun > ended {
			t.Errorf("%d marks begin, %d end: %q", begun, ended, out)
		}
	})
}

// drawn lists the operations of a stream that are no marks.
func drawn(stream string) []string {
	var out []string
	t := tokenizer{data: []byte(stream)}
	for op, ok := t.next(); ok; op, ok = t.next() {
		switch string(op.name) {
		case "BMC", "BDC", "EMC":
		default:
			out = append(out, fmt.Sprintf("%q", stream[op.start:op.end]))
		}
	}
	return out
}
