package httpapi_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/plan"
)

// TestWebhooks_are_verified_as_docs_webhooks_md_says runs the page's programs on a delivery of the service.
func TestWebhooks_are_verified_as_docs_webhooks_md_says(t *testing.T) {
	page, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	programs := make(map[string]string)
	for _, m := range regexp.MustCompile("(?s)\n```(\\w+)\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		programs[m[1]] = m[2]
	}
	w := workingWorld(t, "127.0.0.0/8")
	u, h := w.user(plan.Pro), newHook(t)
	id := u.submit(h.url)
	got := h.next(t)
	u.delivered(id, is("delivered"))
	secret := u.get("/webhook-secret").want(http.StatusOK).object()["secret"].(string)
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for language, c := range map[string]struct {
		command      []string
		file         string
		before, rest string // around the page's program: read the delivery, end with status 0 when it verifies
	}{
		"sh": {command: []string{"sh"}, file: "verify.sh"},
		"python": {command: []string{"python3"}, file: "verify.py", rest: `
import os, sys
headers = {"webhook-id": os.environ["ID"], "webhook-timestamp": os.environ["TIMESTAMP"], "webhook-signature": os.environ["SIGNATURE"]}
sys.exit(0 if verify(os.environ["SECRET"], headers, open("body.json", "rb").read()) else 1)
`},
		"js": {command: []string{"node"}, file: "verify.js", rest: `
const headers = {"webhook-id": process.env.ID, "webhook-timestamp": process.env.TIMESTAMP, "webhook-signature": process.env.SIGNATURE};
process.exit(verify(process.env.SECRET, headers, require("node:fs").readFileSync("body.json")) ? 0 : 1);
`},
		"go": {command: []string{"go", "run", "-C", module}, file: "verify.go", before: `package main

import (
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	body, err := os.ReadFile(os.Getenv("BODY"))
	if err != nil {
		panic(err)
	}
	header := http.Header{}
	header.Set("webhook-id", os.Getenv("ID"))
	header.Set("webhook-timestamp", os.Getenv("TIMESTAMP"))
	header.Set("webhook-signature", os.Getenv("SIGNATURE"))
	if verify(os.Getenv("SECRET"), header, body) != nil {
		os.Exit(1)
	}
}

`},
	} {
		t.Run(language, func(t *testing.T) {
			if programs[language] == "" {
				t.Fatal("the page has no such program")
			}
			if _, err := exec.LookPath(c.command[0]); err != nil {
				t.Skipf("SKIPPED: no %s here", c.command[0])
			}
			dir := t.TempDir()
			script, body := filepath.Join(dir, c.file), filepath.Join(dir, "body.json")
			if err := os.WriteFile(script, []byte(c.before+programs[language]+c.rest), 0o600); err != nil {
				t.Fatal(err)
			}
			verifies := func(content, signature string) bool {
				t.Helper()
				if err := os.WriteFile(body, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := exec.CommandContext(t.Context(), c.command[0], append(c.command[1:], script)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "SECRET="+secret, "ID="+got.header.Get("webhook-id"), "TIMESTAMP="+got.header.Get("webhook-timestamp"),
					"SIGNATURE="+signature, "BODY="+body)
				out, err := cmd.CombinedOutput()
				if said := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(string(out)), "exit status 1")); said != "" {
					t.Errorf("it says %s", said)
				}
				return err == nil
			}
			signature := got.header.Get("webhook-signature")
			if !verifies(got.body, signature) {
				t.Error("the delivery does not verify")
			}
			if !verifies(got.body, "v1,AAAA "+signature) {
				t.Error("with two signatures, as after a change of keys, it does not verify")
			}
			if verifies(got.body+" ", signature) {
				t.Error("a changed body verifies, too")
			}
		})
	}
}
