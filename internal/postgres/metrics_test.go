package postgres_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOperations_are_measured looks for methods that begin without the line that measures them and makes them a span.
func TestOperations_are_measured(t *testing.T) {
	method := regexp.MustCompile(`(?m)^func \(s \*Store\) ([A-Z]\w*)\(ctx context\.Context.*\n(.*)$`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllSubmatch(source, -1) {
			found++
			if want := `defer s.op(&ctx, &err, "postgres.` + string(m[1]); !strings.HasPrefix(strings.TrimSpace(string(m[2])), want) {
				t.Errorf("%s: %s does not begin with %s", file, m[1], want)
			}
		}
	}
	if found == 0 {
		t.Error("no methods found")
	}
}
