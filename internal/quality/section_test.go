package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestMain lets the engine's children be this test program.
func TestMain(m *testing.M) {
	if !asChild() {
		m.Run()
	}
}

// absent is a metric that a document does not have.
var absent = math.NaN()

func exampleSection() section {
	return section{
		name: "one", title: "Example", metrics: []string{"overall", "TEDS"}, required: []float64{0.8, absent},
		groups: halves(4),
		docs: []scored{
			{"a", []float64{0.9, absent}}, {"b", []float64{0.5, 0.4}}, {"c", []float64{0.7, 0.8}}, {"d", []float64{0.3, absent}},
		},
	}
}

func TestSection(t *testing.T) {
	s := exampleSection()
	near := cmp.Options{cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateNaNs(), cmp.AllowUnexported(change{}, scored{}, group{})}
	t.Run("a mean is over the documents that have the metric", func(t *testing.T) {
		if diff := cmp.Diff([]float64{0.6, 0.6}, s.mean(s.docs), near); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]float64{0.9, absent}, s.mean(s.docs[:1]), near); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("halves take every other document", func(t *testing.T) {
		want := []group{{"first half", []int{0, 2}}, {"second half", []int{1, 3}}}
		if diff := cmp.Diff(want, s.groups, near); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("changes of more than the tolerance are listed, the worst first, over documents that both know", func(t *testing.T) {
		changes, then, now := s.compare(map[string]map[string]float64{
			"a": {"overall": 0.91}, "b": {"overall": 0.5, "TEDS": 0.7}, "c": {"overall": 0.6, "TEDS": 0.8}, "gone": {"overall": 1},
		})
		want := []change{{"b", "TEDS", 0.7, 0.4, -0.3}, {"c", "overall", 0.6, 0.7, 0.1}}
		if diff := cmp.Diff(want, changes, near); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([][]float64{{0.67, 0.75}, {0.7, 0.6}}, [][]float64{then, now}, near); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("without documents in common nothing is compared", func(t *testing.T) {
		if changes, then, now := s.compare(map[string]map[string]float64{"gone": {"overall": 1}}); changes != nil || then != nil || now != nil {
			t.Errorf("%v, %v, %v", changes, then, now)
		}
	})
}

func TestReportShowsWorstAndChanges(t *testing.T) {
	s := exampleSection()
	var out strings.Builder
	s.print(&out, map[string]map[string]float64{"b": {"overall": 0.8, "TEDS": 0.4}, "c": {"overall": 0.5, "TEDS": 0.8}}, 2)
	var lines []string
	for line := range strings.Lines(out.String()) {
		if line = strings.Join(strings.Fields(line), " "); line != "" {
			lines = append(lines, line)
		}
	}
	want := []string{
		"docs overall TEDS",
		"first half 2 0.800 0.800", "second half 2 0.400 0.400", "all 4 0.600 0.600",
		"required 0.800 –", "baseline 0.650 0.600", "change -0.050 +0.000",
		"the worst", "d 0.300 –", "b 0.500 0.400",
		"worse than the baseline by more than 0.02", "b overall 0.800 → 0.500 -0.300",
		"better than the baseline by more than 0.02", "c overall 0.500 → 0.700 +0.200",
	}
	if diff := cmp.Diff(want, lines[1:]); diff != "" {
		t.Error(diff)
	}
}

func TestBaseline(t *testing.T) {
	path := filepath.Join(t.TempDir(), "baseline.json")
	b, err := readBaseline(path)
	if err != nil || len(b) != 0 {
		t.Fatalf("a baseline that is not there yet: %v, %v", b, err)
	}
	s := exampleSection()
	s.docs[2].values[0] = 0.123449
	b.put(&s)
	b["other"] = map[string]map[string]float64{"x \"y\"": {"F1": 1}}
	if err := b.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "one": {
    "a": {"overall":0.9},
    "b": {"TEDS":0.4,"overall":0.5},
    "c": {"TEDS":0.8,"overall":0.1234},
    "d": {"overall":0.3}
  },
  "other": {
    "x \"y\"": {"F1":1}
  }
}
`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	again, err := readBaseline(path)
	if diff := cmp.Diff(b, again); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestAbsentTestDataIsSkippedLoudly(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-shared", t.TempDir(), "-tables", "word"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "SKIPPED: ") {
		t.Errorf("output %q", out.String())
	}
}

func TestUnknownSectionIsRefused(t *testing.T) {
	if _, err := parseSettings([]string{"long", "short"}); err == nil || !strings.Contains(err.Error(), `no section "short"`) {
		t.Errorf("error %v", err)
	}
}
