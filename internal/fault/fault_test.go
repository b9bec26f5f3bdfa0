package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/fault"
)

func TestFrom(t *testing.T) {
	f := fault.New(fault.NotFound, "job_not_found", "There is no such job.")

	t.Run("a wrapped fault keeps kind and code", func(t *testing.T) {
		got := fault.From(fmt.Errorf("postgres.Job(1): %w", f))
		if got != f || fault.KindOf(fmt.Errorf("x: %w", f)) != fault.NotFound {
			t.Fatalf("got %v", got)
		}
	})
	t.Run("any other error is internal and says nothing of itself", func(t *testing.T) {
		secret := errors.New("dial tcp 10.0.0.1:5432: password=hunter2")
		got := fault.From(secret)
		if got.Kind != fault.Internal || strings.Contains(got.Message, "hunter2") || !errors.Is(got, secret) {
			t.Fatalf("got %#v", got)
		}
	})
	t.Run("nil stays nil", func(t *testing.T) {
		if fault.From(nil) != nil {
			t.Fatal("want nil")
		}
	})
}

func TestIs(t *testing.T) {
	t.Run("faults are equal by code", func(t *testing.T) {
		err := fmt.Errorf("wrap: %w", fault.New(fault.Invalid, "damaged_pdf", "x").Because(io.EOF))
		if !errors.Is(err, &fault.Fault{Code: "damaged_pdf"}) || errors.Is(err, &fault.Fault{Code: "other"}) {
			t.Fatal("code comparison failed")
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal("the cause is not reachable")
		}
	})
}

func TestOp(t *testing.T) {
	t.Run("wraps with operation and arguments", func(t *testing.T) {
		err := io.EOF
		fault.Op(&err, "blob.Get(%s)", "k")
		if err.Error() != "blob.Get(k): EOF" || !errors.Is(err, io.EOF) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("leaves success alone", func(t *testing.T) {
		var err error
		fault.Op(&err, "x")
		if err != nil {
			t.Fatal(err)
		}
	})
}
