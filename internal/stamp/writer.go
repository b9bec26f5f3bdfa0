package stamp

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/types"
)

// Writer writes a Base with additions. Objects go out as they are given, so that only their offsets are kept. After an
// error its methods do nothing; Close tells it. The same calls give the same bytes.
type Writer struct {
	base    *Base
	out     *bufio.Writer
	sum     hash.Hash // of what is appended
	at      int64     // bytes written
	next    int       // object number
	offsets map[int]int64
	info    types.Object
	packer  *zlib.Writer // kept from stream to stream: one takes most of a megabyte
	packed  bytes.Buffer
	err     error
}

// NewWriter copies the base to w and goes on after it.
func (b *Base) NewWriter(w io.Writer) (*Writer, error) {
	u := &Writer{
		base: b, out: bufio.NewWriterSize(w, 64<<10), sum: sha256.New(),
		next: max(len(b.offsets), 1), offsets: make(map[int]int64), info: b.trailer["Info"],
		packer: zlib.NewWriter(nil),
	}
	n, err := io.Copy(u.out, io.NewSectionReader(b.src, 0, b.size))
	if u.at = n; err != nil {
		return nil, fmt.Errorf("stamp.NewWriter: %w", err)
	}
	u.write("\n")
	return u, nil
}

// Reserve gives a new object's reference, so that others can refer to it before it is Set.
func (w *Writer) Reserve() types.IndirectRef {
	w.next++
	return *types.NewIndirectRef(w.next-1, 0)
}

// Set writes the object of a reference: one reserved, or one of the base, which it replaces. Each may be set once; a
// further time is ignored, and false.
func (w *Writer) Set(ref types.IndirectRef, o types.Object) bool {
	number := ref.ObjectNumber.Value()
	if w.offsets[number] != 0 {
		return false
	}
	w.begin(number)
	w.write(pdf(o))
	w.write("\nendobj\n")
	return true
}

// IsSet reports whether Set has written the object.
func (w *Writer) IsSet(ref types.IndirectRef) bool { return w.offsets[ref.ObjectNumber.Value()] != 0 }

// Add writes a new object.
func (w *Writer) Add(o types.Object) types.IndirectRef {
	ref := w.Reserve()
	w.Set(ref, o)
	return ref
}

// AddStream writes a new stream, compressed. d is its dictionary but for Filter and Length; it may be nil, and is not
// changed.
func (w *Writer) AddStream(d types.Dict, data []byte) types.IndirectRef {
	w.packed.Reset()
	w.packer.Reset(&w.packed)
	_, err := w.packer.Write(data)
	w.fail(errors.Join(err, w.packer.Close()))
	full := types.Dict{"Filter": types.Name("FlateDecode"), "Length": types.Integer(w.packed.Len())}
	maps.Copy(full, d)
	ref := w.Reserve()
	w.begin(ref.ObjectNumber.Value())
	w.write(pdf(full))
	w.write("\nstream\n")
	w.write(w.packed.String())
	w.write("\nendstream\nendobj\n")
	return ref
}

// SetInfo makes ref the document information dictionary.
func (w *Writer) SetInfo(ref types.IndirectRef) { w.info = ref }

// Close writes the cross-reference table and the trailer, and gives the first error of all calls. It does not close
// what the Writer writes to.
func (w *Writer) Close() error {
	start := w.at
	w.write("xref\n")
	numbers := slices.Sorted(maps.Keys(w.offsets))
	for k := 0; k < len(numbers); {
		n := k + 1
		for n < len(numbers) && numbers[n] == numbers[n-1]+1 {
			n++
		}
		w.write(fmt.Sprintf("%d %d\n", numbers[k], n-k))
		for ; k < n; k++ {
			w.write(fmt.Sprintf("%010d 00000 n\r\n", w.offsets[numbers[k]]))
		}
	}
	trailer := types.Dict{"Size": types.Integer(w.next), "Root": w.base.trailer["Root"], "Prev": types.Integer(w.base.xref)}
	if w.info != nil {
		trailer["Info"] = w.info
	}
	id := types.HexLiteral(hex.EncodeToString(w.sum.Sum(nil)[:16]))
	trailer["ID"] = types.Array{id, id}
	if old, ok := w.base.trailer["ID"].(types.Array); ok && len(old) == 2 { // the first one stays, the second one changes
		trailer["ID"] = types.Array{old[0], id}
	}
	w.write("trailer\n" + pdf(trailer) + fmt.Sprintf("\nstartxref\n%d\n%%%%EOF\n", start))
	w.fail(w.out.Flush())
	return w.err
}

// begin notes where an object begins.
func (w *Writer) begin(number int) {
	w.offsets[number] = w.at
	w.write(fmt.Sprintf("%d 0 obj\n", number))
}

// write appends s.
func (w *Writer) write(s string) {
	if w.err != nil {
		return
	}
	n, err := w.out.WriteString(s)
	w.at += int64(n)
	w.fail(err)
	_, _ = io.WriteString(w.sum, s) // never fails
}

func (w *Writer) fail(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("stamp.Writer: %w", err)
	}
}

// pdf is an object as files have it, with the keys of dictionaries in order, and numbers as short as they can be:
// pdfcpu writes twelve decimals, which would make a quarter of an annotated file.
func pdf(o types.Object) string {
	var b strings.Builder
	writeObject(&b, o)
	return b.String()
}

func writeObject(b *strings.Builder, o types.Object) {
	switch o := o.(type) {
	case nil:
		b.WriteString("null")
	case types.Float:
		b.WriteString(strconv.FormatFloat(float64(o), 'f', -1, 64))
	case types.Array:
		b.WriteByte('[')
		for i, e := range o {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeObject(b, e)
		}
		b.WriteByte(']')
	case types.Dict:
		b.WriteString("<<")
		for _, key := range slices.Sorted(maps.Keys(o)) {
			b.WriteString(types.Name(key).PDFString())
			b.WriteByte(' ')
			writeObject(b, o[key])
		}
		b.WriteString(">>")
	default:
		b.WriteString(o.PDFString())
	}
}

// Text makes a text string (ISO 32000-1, 7.9.2.2): in PDFDocEncoding, a byte a letter, where that has them all, else in
// UTF-16.
func Text(s string) types.Object {
	var b strings.Builder
	for _, r := range s {
		c, ok := docEncoded(r)
		if !ok {
			return utf16Text(s)
		}
		if c == '\\' || c == '(' || c == ')' {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	if strings.HasPrefix(b.String(), "\xFE\xFF") || strings.HasPrefix(b.String(), "\xEF\xBB\xBF") {
		return utf16Text(s) // or readers would take it for that, or for UTF-8
	}
	return types.StringLiteral(b.String())
}

// docEncoded is r in PDFDocEncoding (ISO 32000-1, D.3), without accents on their own and most control characters.
func docEncoded(r rune) (byte, bool) {
	const from0x80 = "•†‡…—–ƒ⁄‹›−‰„“”‘’‚™ﬁﬂŁŒŠŸŽıłœšž"
	switch {
	case r >= ' ' && r <= '~', r > 0xA0 && r <= 0xFF && r != 0xAD, r == '\n':
		return byte(r), true
	case r == '€':
		return 0xA0, true
	}
	at := strings.IndexRune(from0x80, r)
	if at < 0 {
		return 0, false
	}
	return byte(0x80 + utf8.RuneCountInString(from0x80[:at])), true
}

func utf16Text(s string) types.Object {
	b := []byte{0xFE, 0xFF}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return types.HexLiteral(hex.EncodeToString(b))
}
