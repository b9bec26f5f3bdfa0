package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ragify/ragify/internal/fault"
)

func working(context.Context) error { return nil }

func TestCheck_is_nil_while_all_parts_work(t *testing.T) {
	c, err := New(nil, Part{"database", working}, Part{"disk", working})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCheck_names_the_parts_that_fail_and_nothing_else(t *testing.T) {
	away := fault.New(fault.Unavailable, "storage_unavailable", "The storage is away.").Because(errors.New("secret-host"))
	failing := func(context.Context) error { return away }
	broken := func(context.Context) error { return errors.New("secret-host") }
	for name, test := range map[string]struct {
		parts []Part
		code  string
		want  []string
	}{
		"one that explains itself": {[]Part{{"database", working}, {"storage", failing}}, "storage_unavailable", []string{"storage"}},
		"one that does not":        {[]Part{{"disk", broken}, {"storage", working}}, "not_ready", []string{"disk"}},
		"several":                  {[]Part{{"storage", failing}, {"disk", broken}}, "not_ready", []string{"storage", "disk"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := New(nil, test.parts...)
			if err != nil {
				t.Fatal(err)
			}
			f := fault.From(c.Check(t.Context()))
			if f == nil || f.Kind != fault.Unavailable || f.Code != test.code || strings.Contains(f.Message, "secret") {
				t.Fatalf("%+v", f)
			}
			if diff := cmp.Diff(map[string]any{"parts": test.want}, f.Facts); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheck_looks_once_a_second_however_many_ask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks := 0
		c, err := New(nil, Part{"database", func(context.Context) error { looks++; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if err := c.Check(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if looks != 1 {
			t.Errorf("%d looks for 100 questions at once", looks)
		}
		time.Sleep(freshness) // of the test's own clock
		if err := c.Check(t.Context()); err != nil || looks != 2 {
			t.Errorf("%d looks a second later, %v", looks, err)
		}
	})
}

func TestCheck_gives_up_a_part_that_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, err := New(nil, Part{"storage", func(context.Context) error { <-release; return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(t.Context()); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
		close(release)
	})
}

func TestCheck_leaves_others_their_verdict_when_one_stops_waiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c, err := New(nil, Part{"database", func(ctx context.Context) error { <-release; return ctx.Err() }})
		if err != nil {
			t.Fatal(err)
		}
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Check(impatient); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("%v", err)
		}
		close(release)
		if err := c.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestMetrics_tell_each_part(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := New(registry, Part{"database", working}, Part{"disk", func(context.Context) error { return errors.New("full") }}); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP ragify_health_up Whether a part of the process works: 1, or 0. GET /readyz is 200 when all do.
# TYPE ragify_health_up gauge
ragify_health_up{part="database"} 1
ragify_health_up{part="disk"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
