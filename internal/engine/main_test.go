package engine_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/ocr/ocrtest"
)

// TestMain lets the test binary be its own child, in several moods.
func TestMain(m *testing.M) {
	ocrtest.Main(nil)
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "engine":
			serve(os.Stdin)
		case "hog":
			serve(&hoggingReader{r: os.Stdin})
		case "garbage":
			fmt.Print("\x00\x00\x00\x02{]")
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		case "quit":
			os.Exit(0)
		case "parent":
			parent(os.Args[2])
		}
	}
	goleak.VerifyTestMain(m)
}

// serve is an engine child.
func serve(in io.Reader) {
	if err := engine.Serve(context.Background(), in, os.Stdout, engine.ServeConfig{Exit: os.Exit}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hoggingReader takes all memory it can get once a second request arrives (the first sets the limits).
type hoggingReader struct {
	r      io.Reader
	frames int
	hoard  [][]byte
}

// Read reads. The head of a frame is read on its own through a buffer, so every call is a new frame here.
func (h *hoggingReader) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if h.frames++; h.frames < 2 || err != nil {
		return n, err
	}
	for {
		block := make([]byte, 16<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		h.hoard = append(h.hoard, block)
	}
}
