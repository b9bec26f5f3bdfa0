package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ragify/ragify/"

// TestImports checks who may import whom within the module, so that the engine stays free of accounts
// and the rules of the domain free of SQL and HTTP.
func TestImports(t *testing.T) {
	domain := []string{"internal/fault", "internal/plan", "internal/account", "internal/job", "internal/option", "internal/document"}
	allowed := map[string][]string{
		"api":                domain,
		"migrations":         {},
		"internal/fault":     {},
		"internal/document":  {},
		"internal/option":    {"internal/fault"},
		"internal/plan":      {"internal/option", "internal/fault"},
		"internal/account":   {"internal/plan", "internal/fault"},
		"internal/job":       {"internal/account", "internal/plan", "internal/option", "internal/document", "internal/fault"},
		"internal/pdfium":    {"internal/document", "internal/fault"},
		"internal/layout":    {"internal/document"},
		"internal/ocr":       {"internal/document"},
		"internal/safety":    {"internal/document"},
		"internal/export":    {"internal/document", "internal/option"},
		"internal/stamp":     {"internal/document"},
		"internal/sanitize":  {"internal/document"},
		"internal/workbench": {"internal/layout", "internal/document"},
		"internal/engine":    {"internal/tracing", "internal/pdfium", "internal/layout", "internal/safety", "internal/ocr", "internal/export", "internal/stamp", "internal/sanitize", "internal/workbench", "internal/document", "internal/option", "internal/fault"},
		"internal/blob":      {"internal/fault", "internal/tracing"},
		"internal/pgserver":  {},
		"internal/health":    {"internal/fault"},
		"internal/tracing":   {"internal/fault"},
		"internal/webhook":   {"internal/account", "internal/job", "internal/fault"},
		"internal/provider":  {"internal/account", "internal/plan", "internal/fault"},
		"internal/postgres":  append([]string{"internal/tracing", "migrations"}, domain...),
		"internal/queue":     append([]string{"internal/tracing", "internal/engine", "internal/blob", "internal/webhook"}, domain...),
		"internal/auth":      {"internal/account", "internal/fault", "internal/plan"},
		"internal/httpapi":   append([]string{"internal/tracing", "api", "internal/auth"}, domain...),
	}
	// What only these may know of the outside, and what must not leave its room.
	foreign := map[string][]string{
		"github.com/jackc/pgx":         {"internal/postgres", "internal/queue", "internal/pgserver", "cmd/ragify"},
		"github.com/riverqueue/river":  {"internal/postgres", "internal/queue"},
		"github.com/tetratelabs":       {"internal/pdfium"},
		"github.com/klippa-app":        {"internal/pdfium"},
		"github.com/pdfcpu":            {"internal/stamp"},
		"gocloud.dev":                  {"internal/blob"},
		"github.com/go-chi":            {"internal/httpapi", "api"},
		"github.com/clerk":             {"internal/auth"},
		"github.com/golang-migrate":    {"internal/postgres"},
		"github.com/spf13/cobra":       {"cmd/ragify"},
		"github.com/standard-webhooks": {"internal/webhook", "internal/provider"},
		"github.com/tiktoken-go":       {"internal/export"},
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}:{{join .Imports " "}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg := strings.TrimPrefix(path, module)
		seen[pkg] = true
		rules, ruled := allowed[pkg]
		for imported := range strings.FieldsSeq(imports) {
			if own, ok := strings.CutPrefix(imported, module); ok && ruled && !slices.Contains(rules, own) {
				t.Errorf("%s must not import %s", pkg, own)
			}
			for prefix, may := range foreign {
				if strings.HasPrefix(imported, prefix) && !slices.Contains(may, pkg) && !forTests(pkg) {
					t.Errorf("%s must not import %s", pkg, imported)
				}
			}
		}
		if !ruled && pkg != "cmd/ragify" && !forTests(pkg) && pkg != "internal/quality" {
			t.Errorf("there is no import rule for %s", pkg)
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("there is a rule for %s, but no such package", pkg)
		}
	}
}

// forTests reports whether a package exists for the tests of others.
func forTests(pkg string) bool { return strings.HasSuffix(pkg, "test") }
