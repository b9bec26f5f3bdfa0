package api_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/ragify/ragify/api"
	"github.com/ragify/ragify/internal/option"
)

func load(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestGeneratedCode_is_up_to_date(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED with -short: builds the generator")
	}
	fresh := filepath.Join(t.TempDir(), "server.gen.go")
	cmd := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "-o", fresh, "openapi.yaml")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("server.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("server.gen.go is not what openapi.yaml generates: run make openapi")
	}
}

// notAnswers has the codes of faults that no HTTP request can meet.
var notAnswers = []string{
	"email_taken", "invalid_email", "unknown_tier", "subscription_not_found", // of the command line's user commands
	"pdf_output_failed", // of conversions: the job says it
}

func TestErrorCodes_and_facts_of_the_code_are_described(t *testing.T) {
	doc := load(t)
	var described []string
	for _, code := range doc.Components.Schemas["ErrorCode"].Value.Enum {
		described = append(described, code.(string))
	}
	facts := doc.Components.Schemas["Detail"].Value.Properties
	used := make(map[string]bool)
	eachCall(t, filepath.Join("..", "internal"), func(name string, arguments []ast.Expr, at token.Position) {
		switch name {
		case "fault.New", "fault.Newf":
			code, ok := literal(arguments[1])
			if !ok && filepath.Base(at.Filename) == "protocol.go" {
				return // passes on the faults of the engine's child
			}
			if !ok {
				t.Errorf("%s: the code is not written out", at)
			}
			used[code] = true
			if !slices.Contains(described, code) && !slices.Contains(notAnswers, code) {
				t.Errorf("%s: the code %q is not described", at, code)
			}
		case "With":
			if fact, ok := literal(arguments[0]); ok && facts[fact] == nil && len(arguments) == 2 {
				t.Errorf("%s: the fact %q is not described", at, fact)
			}
		}
	})
	for _, code := range described {
		if !used[code] && code != "internal" {
			t.Errorf("the code %q is described, but nothing uses it", code)
		}
	}
}

// TestWarningCodes_of_the_code_are_described looks for what is written as document.Warning{Code: …, Message: …}.
func TestWarningCodes_of_the_code_are_described(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "warnings.md"))
	if err != nil {
		t.Fatal(err)
	}
	description := load(t).Components.Schemas["Warning"].Value.Description
	var used []string
	eachFile(t, filepath.Join("..", "internal"), "document", func(file *ast.File, _ *token.FileSet) {
		ast.Inspect(file, func(n ast.Node) bool {
			l, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			fields := make(map[string]ast.Expr)
			for _, e := range l.Elts {
				if f, ok := e.(*ast.KeyValueExpr); ok {
					if key, ok := f.Key.(*ast.Ident); ok {
						fields[key.Name] = f.Value
					}
				}
			}
			if code, ok := literal(fields["Code"]); ok && fields["Message"] != nil {
				used = append(used, code)
			}
			return true
		})
	})
	for _, code := range used {
		if !strings.Contains(string(page), "\n| `"+code+"` | ") {
			t.Errorf("docs/warnings.md does not have %s", code)
		}
		if !strings.Contains(description, "`"+code+"`") {
			t.Errorf("openapi.yaml does not have %s", code)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` ").FindAllStringSubmatch(string(page), -1) {
		if !slices.Contains(used, row[1]) {
			t.Errorf("docs/warnings.md has %s, which nothing uses", row[1])
		}
	}
}

// eachCall calls fn for the calls of functions and methods in all packages under dir that are of interest.
func eachCall(t *testing.T, dir string, fn func(name string, arguments []ast.Expr, at token.Position)) {
	t.Helper()
	eachFile(t, dir, "fault", func(file *ast.File, files *token.FileSet) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok {
				name := f.Sel.Name
				if p, ok := f.X.(*ast.Ident); ok && p.Name == "fault" {
					name = "fault." + name
				}
				fn(name, call.Args, files.Position(call.Pos()))
			}
			return true
		})
	})
}

// eachFile calls fn for the source files under dir that import an internal package.
func eachFile(t *testing.T, dir, imported string, fn func(*ast.File, *token.FileSet)) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return strings.HasSuffix(i.Path.Value, "/internal/"+imported+`"`) }) {
			fn(file, files)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(l.Value)
	return s, err == nil
}

func TestOptions_are_described(t *testing.T) {
	doc := load(t)
	submitted, shown := doc.Components.Schemas["NewOptions"].Value, doc.Components.Schemas["Options"].Value
	for _, name := range option.Names() {
		if submitted.Properties[name] == nil {
			t.Errorf("%s is not described for submission", name)
		}
		if (shown.Properties[name] == nil) != (name == "password") || slices.Contains(shown.Required, name) == (name == "password") {
			t.Errorf("%s is not described as it is shown", name)
		}
	}
	if len(submitted.Properties) != len(option.Names()) {
		t.Errorf("%d options described, %d known", len(submitted.Properties), len(option.Names()))
	}
	var formats []option.Format
	for _, f := range doc.Components.Schemas["Format"].Value.Enum {
		formats = append(formats, option.Format(f.(string)))
	}
	if !slices.Equal(formats, option.Formats()) {
		t.Errorf("formats described %v, known %v", formats, option.Formats())
	}
}

// TestDefaults_are_described feeds the described defaults to the parser: they must change nothing.
func TestDefaults_are_described(t *testing.T) {
	defaults := option.Default()
	for name, property := range load(t).Components.Schemas["NewOptions"].Value.Properties {
		if name == "password" {
			continue
		}
		raw, err := json.Marshal(map[string]any{name: property.Value.Default})
		if err != nil {
			t.Fatal(err)
		}
		o, err := option.Parse(raw)
		if err != nil {
			t.Errorf("%s is refused: %v", raw, err)
		} else if o.Hash() != defaults.Hash() {
			t.Errorf("%s is not the default", raw)
		}
	}
}
