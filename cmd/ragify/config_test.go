package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/plan"
)

func TestConfig(t *testing.T) {
	t.Run("a bad value ends the start with one line that names the variable", func(t *testing.T) {
		for name, values := range map[string][]string{
			"DATABASE_URL":             {"foo", "postgres://u:secret@host:port/db", "postgres://u:secret@127.0.0.1:1/db"},
			"DATA_DIR":                 {"/dev/null/data"},
			"ENGINE_CACHE_DIR":         {"/dev/null/cache"},
			"BLOB_URL":                 {"/var/lib", "ftp://host", "file://host/dir"},
			"LISTEN_ADDR":              {"80", "host:http", ":99999"},
			"ADMIN_ADDR":               {"nonsense"},
			"PUBLIC_URL":               {"example.com", "ftp://example.com", "https://example.com?x=1"},
			"CLERK_JWT_KEY":            {"not a PEM"},
			"CLERK_AUTHORIZED_PARTIES": {"example.com"},
			"CLERK_ISSUER":             {"clerk"},
			"CORS_ALLOWED_ORIGINS":     {"https://a.example,https://b.example/path"},
			"URL_SIGNING_KEY":          {"short"},
			"PLANS_FILE":               {"/no/such/file", write(t, "plans.json", []byte(`{"gold": {}}`))},
			"RETENTION":                {"30", "-1h", "1ms"},
			"MAX_UPLOAD_BYTES":         {"1MB", "-1"},
			"MAX_QUEUED_JOBS":          {"many", "-1"},
			"WORKERS":                  {"two", "-1", "100000"},
			"JOB_TIMEOUT":              {"10", "0s"},
			"SHUTDOWN_GRACE":           {"0s"},
			"SHUTDOWN_DELAY":           {"-1s", "soon"},
			"MAX_EVENT_STREAMS":        {"0", "many"},
			"WEBHOOK_ALLOW_PRIVATE":    {"perhaps"},
			"WEBHOOK_ALLOW_NETWORKS":   {"localhost", "10.0.0.0/33", "10.1.2.3/8", "::ffff:10.0.0.0/104", "fe80::1%eth0", "10.0.0.0/8,nonsense"},
			"LOG_LEVEL":                {"loud"},
			"LOG_FORMAT":               {"xml"},
			"CLERK_WEBHOOK_SECRET":     {"secret", "whsec_secret!", "whsec_c2VjcmV0"},
			"LEMONSQUEEZY_WEBHOOK_SECRET": {
				"secret", strings.Repeat("secret", 7),
			},
			"LEMONSQUEEZY_VARIANTS":  {"pro", "12345", "12345=gold", "x=pro", "0=pro", "12345=pro,12345=free"},
			"LEMONSQUEEZY_TEST_MODE": {"perhaps"},
		} {
			for _, value := range values {
				o := ragify(t, environ(t, t.TempDir(), name+"="+value), "serve")
				if o.code != exitFailure || !strings.HasPrefix(o.stderr, "ragify: "+name+": ") || strings.Count(o.stderr, "\n") != 1 {
					t.Errorf("%s=%s: exit status %d, standard error %q", name, value, o.code, o.stderr)
				}
				if strings.Contains(o.stdout+o.stderr, "secret") {
					t.Errorf("%s: the password is shown: %q", name, o.stderr)
				}
			}
		}
	})
	t.Run("events of Lemon Squeezy need to mean something", func(t *testing.T) {
		_, err := loadConfig(map[string]string{"LEMONSQUEEZY_WEBHOOK_SECRET": "0123456789abcdef"})
		if err == nil || !strings.HasPrefix(err.Error(), "LEMONSQUEEZY_VARIANTS: ") {
			t.Errorf("without variants: %v", err)
		}
	})
	t.Run("an empty variable means its default", func(t *testing.T) {
		unset, err := loadConfig(nil)
		if err != nil {
			t.Fatal(err)
		}
		empty := make(map[string]string)
		for field := range reflect.TypeFor[config]().Fields() {
			if name, ok := field.Tag.Lookup("env"); ok {
				empty[name] = ""
			}
		}
		got, err := loadConfig(empty)
		if err != nil || !reflect.DeepEqual(got, unset) {
			t.Errorf("%+v, %v; want %+v", got, err, unset)
		}
	})
	t.Run("PLANS_FILE changes cells", func(t *testing.T) {
		c, err := loadConfig(map[string]string{"PLANS_FILE": write(t, "plans.json", []byte(`{"pro": {"pages_per_month": null}}`))})
		if err != nil {
			t.Fatal(err)
		}
		if p := c.plans[plan.Pro]; p.PagesPerMonth != nil || *p.MaxAPIKeys != 3 {
			t.Errorf("the pro plan is %+v", p)
		}
	})
	t.Run("docker-compose.yml passes every variable on, and no other", func(t *testing.T) {
		file, err := os.ReadFile("../../docker-compose.yml")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(file), "\n  environment: &environment\n")
		block, _, found := strings.Cut(rest, "\n  volumes:\n")
		if !found {
			t.Fatal("the environment of ragify's containers is not where it was")
		}
		passed := make(map[string]string)
		for _, m := range regexp.MustCompile(`(?m)^    ([A-Z0-9_]+): (.+)$`).FindAllStringSubmatch(block, -1) {
			if name := m[1]; !strings.HasPrefix(name, "AWS_") && !strings.HasPrefix(name, "OTEL_") {
				passed[name] = m[2]
			}
		}
		inImage := []string{"DATA_DIR", "ENGINE_CACHE_DIR", "LISTEN_ADDR", "PG_BINDIR"} // have the values that the image is made for
		for field := range reflect.TypeFor[config]().Fields() {
			name, ok := field.Tag.Lookup("env")
			if !ok || slices.Contains(inImage, name) {
				continue
			}
			value, ok := passed[name]
			if delete(passed, name); !ok {
				t.Errorf("%s is missing", name)
			} else if name != "DATABASE_URL" && !strings.HasPrefix(value, "${"+name+":") {
				t.Errorf("%s cannot be set in .env: it is %s", name, value)
			}
		}
		for name := range passed {
			t.Errorf("there is no variable %s", name)
		}
	})
	t.Run("the help and the README tell of every variable", func(t *testing.T) {
		readme, err := os.ReadFile("../../README.md")
		if err != nil {
			t.Fatal(err)
		}
		for field := range reflect.TypeFor[config]().Fields() {
			name := field.Tag.Get("env")
			if name == "" {
				continue
			}
			if !strings.Contains(variablesHelp, "\n  "+name+" ") {
				t.Errorf("%s is not in the help", name)
			}
			if !strings.Contains(string(readme), "`"+name+"`") {
				t.Errorf("%s is not in the README", name)
			}
		}
	})
}

func TestSigningKey(t *testing.T) {
	t.Run("made once, private", func(t *testing.T) {
		c := config{DataDir: t.TempDir()}
		first, err := c.signingKeys()
		if err != nil {
			t.Fatal(err)
		}
		second, err := c.signingKeys()
		if err != nil || len(first) != 1 || len(first[0]) != 64 || !cmp.Equal(first, second) {
			t.Errorf("%q, then %q, %v", first, second, err)
		}
		files, err := os.ReadDir(c.DataDir)
		if err != nil || len(files) != 1 {
			t.Fatalf("%v, %v", files, err)
		}
		if info, err := files[0].Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("several, while they are changed", func(t *testing.T) {
		old, next := strings.Repeat("o", 16), strings.Repeat("n", 16)
		want := [][]byte{[]byte(next), []byte(old)}
		c, err := loadConfig(map[string]string{"URL_SIGNING_KEY": next + ", " + old, "DATA_DIR": t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.signingKeys(); err != nil || !cmp.Equal(got, want) {
			t.Errorf("from the environment: %q, %v", got, err)
		}
		c.URLSigningKeys = nil
		if err := os.WriteFile(filepath.Join(c.DataDir, "url_signing.key"), []byte(next+"\n"+old+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := c.signingKeys(); err != nil || !cmp.Equal(got, want) {
			t.Errorf("from the file: %q, %v", got, err)
		}
		if _, err := loadConfig(map[string]string{"URL_SIGNING_KEY": next + ",short"}); err == nil {
			t.Error("a short second key was accepted")
		}
	})
	t.Run("a broken file is not replaced in silence", func(t *testing.T) {
		c := config{DataDir: t.TempDir()}
		if err := os.WriteFile(filepath.Join(c.DataDir, "url_signing.key"), []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.signingKeys(); err == nil {
			t.Error("an empty key was accepted")
		}
	})
}

func TestCommandLine(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown command":               {[]string{"pars"}, exitUsage, "parse"},
		"unknown sub-command":           {[]string{"user", "crate"}, exitUsage, "crate"},
		"unknown flag":                  {[]string{"serve", "--port", "80"}, exitUsage, "--port"},
		"missing flag":                  {[]string{"user", "create"}, exitUsage, "email"},
		"unknown plan":                  {[]string{"user", "create", "--email", "a@example.com", "--tier", "gold"}, exitUsage, "free, pro, business"},
		"account named twice":           {[]string{"key", "list", "--email", "a@example.com", "--id", "usr_1"}, exitUsage, "email"},
		"key without a name":            {[]string{"key", "create", "--email", "a@example.com", "--name", "  "}, exitUsage, "1 to 100"},
		"revoking what is no key":       {[]string{"key", "revoke", "--email", "a@example.com", "first"}, exitUsage, "first"},
		"help":                          {[]string{"--help"}, exitOK, "ragify demo"},
		"help of serve lists variables": {[]string{"serve", "--help"}, exitOK, "DATABASE_URL"},
		"version":                       {[]string{"version"}, exitOK, "ragify"},
	} {
		t.Run(name, func(t *testing.T) {
			o := ragify(t, environ(t, t.TempDir()), c.args...)
			if o.code != c.code || !strings.Contains(o.stdout+o.stderr, c.says) {
				t.Errorf("exit status %d, want %d and %q in\n%s%s", o.code, c.code, c.says, o.stdout, o.stderr)
			}
		})
	}
}
