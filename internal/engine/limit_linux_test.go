package engine_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

func TestChild_gets_no_secrets(t *testing.T) {
	t.Setenv("RAGIFY_TEST_SECRET", "do not tell")
	e := newEngine(t, 1)
	if err := e.Warm(within(t)); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", e.Pids()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(env), "do not tell") {
		t.Error("the child has our environment")
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Run("a child that takes too much dies, and the next request works", func(t *testing.T) {
		e := newEngine(t, 1, func(c *engine.Config) {
			c.Command = childCommand(t, "hog")
			c.MemoryLimit = 256 << 20
		})
		_, err := e.Inspect(within(t), save(t, pdftest.Text("x")), "", false)
		wantFault(t, err, fault.Invalid, "too_complex")
		if err := e.Warm(within(t)); err != nil {
			t.Error(err)
		}
	})
	t.Run("the limit suffices for ordinary files", func(t *testing.T) {
		e := newEngine(t, 1, func(c *engine.Config) { c.MemoryLimit = 256 << 20 })
		if _, err := e.Convert(within(t), request(t, save(t, pdftest.Pages(100))), nil); err != nil {
			t.Error(err)
		}
	})
}
