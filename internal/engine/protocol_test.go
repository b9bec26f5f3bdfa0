package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
)

// frames encodes values one after the other.
func frames(tb testing.TB, values ...any) []byte {
	tb.Helper()
	var b bytes.Buffer
	for _, v := range values {
		if err := writeFrame(&b, v); err != nil {
			tb.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestReceive(t *testing.T) {
	t.Run("gives the answer after the progress", func(t *testing.T) {
		want := Result{Pages: 3, Outputs: []Output{{Format: option.Text, Name: "a.txt", Size: 7, Type: "text/plain"}}, Warnings: []document.Warning{{Code: "c", Message: "m", Pages: []int{1}}}}
		data := frames(t, response{Progress: &progress{Done: 1, Total: 2}}, response{Progress: &progress{Done: 2, Total: 2}}, response{Result: &want})
		var seen [][2]int
		got, err := receive(bufio.NewReader(bytes.NewReader(data)), func(p progress) { seen = append(seen, [2]int{p.Done, p.Total}) })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got.Result); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([][2]int{{1, 2}, {2, 2}}, seen); diff != "" {
			t.Error(diff)
		}
	})
	for name, data := range map[string][]byte{
		"a frame that is too large":   {0xFF, 0xFF, 0xFF, 0xFF, '{', '}'},
		"a frame cut short":           {0, 0, 0, 9, '{', '}'},
		"a frame that is not JSON":    {0, 0, 0, 2, '{', ']'},
		"a frame that says nothing":   {0, 0, 0, 2, '{', '}'},
		"a length cut short":          {0, 0},
		"an end instead of an answer": frames(t, response{Progress: &progress{Done: 1, Total: 2}}),
	} {
		t.Run(name+" is an error", func(t *testing.T) {
			if _, err := receive(bufio.NewReader(bytes.NewReader(data)), nil); err == nil {
				t.Error("no error")
			}
		})
	}
	t.Run("absurd progress is not passed on", func(t *testing.T) {
		data := frames(t, response{Progress: &progress{Done: 3, Total: 2}}, response{Progress: &progress{Done: -1, Total: 2}}, response{Done: true})
		if _, err := receive(bufio.NewReader(bytes.NewReader(data)), func(progress) { t.Error("passed on") }); err != nil {
			t.Error(err)
		}
	})
}

func TestWireFault(t *testing.T) {
	t.Run("an Invalid fault keeps its face", func(t *testing.T) {
		in := fault.New(fault.Invalid, "damaged_pdf", "Damaged.").With("field", "pages").Because(errors.New("offset 7"))
		got := fault.From(toWire(in).err())
		if got.Kind != fault.Invalid || got.Code != in.Code || got.Message != in.Message || got.Facts["field"] != "pages" {
			t.Errorf("got %+v", got)
		}
		if !strings.Contains(got.Error(), "offset 7") {
			t.Errorf("the cause is lost: %v", got)
		}
	})
	t.Run("anything else is internal and keeps its cause for the log", func(t *testing.T) {
		for _, in := range []error{errors.New("disk full"), fault.New(fault.Forbidden, "no", "You may not: disk full.")} {
			err := toWire(in).err()
			if fault.From(err).Code != "internal" || !strings.Contains(err.Error(), "disk full") {
				t.Errorf("got %v", err)
			}
		}
	})
	t.Run("a long cause is cut", func(t *testing.T) {
		if n := len(toWire(errors.New(strings.Repeat("x", 1<<20))).Cause); n > maxCause {
			t.Errorf("%d bytes", n)
		}
	})
}

func TestServe(t *testing.T) {
	t.Run("ends with its input", func(t *testing.T) {
		if err := Serve(context.Background(), strings.NewReader(""), io.Discard, ServeConfig{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("wants to be started first", func(t *testing.T) {
		in, parent := io.Pipe()
		defer func() { _ = parent.Close() }()
		go func() { _ = writeFrame(parent, request{Op: opInspect, Source: "x"}) }()
		var out bytes.Buffer
		if err := Serve(context.Background(), in, &out, ServeConfig{}); !errors.Is(err, errFatal) {
			t.Errorf("error %v", err)
		}
		got, err := receive(bufio.NewReader(&out), nil)
		if err != nil || got.Fault == nil || !got.Fault.Fatal {
			t.Errorf("answer %+v, %v", got, err)
		}
	})
	t.Run("refuses frames that make no sense", func(t *testing.T) {
		if err := Serve(context.Background(), strings.NewReader("\x00\x00\x00\x02{]"), io.Discard, ServeConfig{}); err == nil {
			t.Error("no error")
		}
	})
}

func TestTail(t *testing.T) {
	var s tail
	_, _ = io.WriteString(&s, "first ")
	for range 1000 {
		_, _ = io.WriteString(&s, strings.Repeat("middle ", 20))
	}
	_, _ = io.WriteString(&s, "last")
	got := s.String()
	if !strings.HasPrefix(got, "first ") || !strings.HasSuffix(got, "last") || len(got) > tailHead+tailLast+20 {
		t.Errorf("%d bytes: %.20s … %s", len(got), got, got[len(got)-20:])
	}
}

// FuzzProtocol feeds the parent whatever a child that a PDF has taken over might send.
func FuzzProtocol(f *testing.F) {
	f.Add(frames(f, response{Ready: true}))
	f.Add(frames(f, response{Progress: &progress{Done: 1, Total: 2}}, response{Result: &Result{Pages: 2}}))
	f.Add(frames(f, response{Fault: &wireFault{Invalid: true, Code: "c", Message: "m", Facts: map[string]any{"a": 1.5}}}))
	f.Add(frames(f, response{Info: &Info{Pages: 1, PagesWithoutText: []int{1}}}))
	f.Add([]byte{0, 0, 0, 2, '{', '}'})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		for {
			resp, err := receive(r, func(p progress) {
				if p.Done < 0 || p.Done > p.Total {
					t.Errorf("progress %d/%d", p.Done, p.Total)
				}
			})
			if err != nil {
				return
			}
			if resp.Fault != nil {
				if k := fault.KindOf(resp.Fault.err()); k != fault.Invalid && k != fault.Internal {
					t.Errorf("a child made a fault of kind %d", k)
				}
			}
		}
	})
}

func TestFullDisk_is_nobodys_fault_and_may_pass(t *testing.T) {
	err := toWire(fmt.Errorf("write result.md: %w", syscall.ENOSPC)).err()
	if fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v, of kind %v", err, fault.KindOf(err))
	}
}
