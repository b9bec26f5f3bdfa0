package layout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A newcomer finds every stage in the guide to the engine.
func TestGuideNamesEveryStage(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "engine.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") && !strings.Contains(string(guide), "`"+file+"`") {
			t.Errorf("docs/engine.md does not name %s: add it to the table of stages", file)
		}
	}
}
