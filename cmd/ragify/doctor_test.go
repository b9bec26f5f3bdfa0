package main

import (
	"encoding/json"
	"net"
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/blob/s3test"
)

// findingsOf runs the doctor.
func findingsOf(t *testing.T, env []string) (code int, byCheck map[string][]finding) {
	t.Helper()
	o := ragify(t, env, "doctor", "--json")
	var all []finding
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil {
		t.Fatalf("%v in %+v", err, o)
	}
	byCheck = make(map[string][]finding)
	for _, f := range all {
		byCheck[f.Check] = append(byCheck[f.Check], f)
	}
	return o.code, byCheck
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	t.Run("beside a running service", func(t *testing.T) {
		t.Parallel()
		const secret = "a-very-secret-signing-key"
		env := environ(t, dataDir(t), "PUBLIC_URL=https://pdf.example.com", "URL_SIGNING_KEY="+secret)
		server := start(t, env, "serve")
		code, found := findingsOf(t, env)
		for _, check := range []string{"configuration", "public URL", "signing key", "postgres", "schema", "queue", "clean-up", "clocks", "bucket", "clerk", "providers", "engine"} {
			if len(found[check]) == 0 {
				t.Errorf("%s was not looked at", check)
			}
			for _, f := range found[check] {
				if f.State != stateOK || f.Advice != "" {
					t.Errorf("%+v", f)
				}
			}
		}
		if code != exitOK {
			t.Errorf("exit status %d", code)
		}
		o := ragifyOK(t, env, "doctor")
		if !strings.Contains(o, "ok       postgres") || strings.ContainsAny(o, "\x1b") || strings.Contains(o, secret) {
			t.Errorf("for a person:\n%s", o)
		}
		server.terminate()
	})
	t.Run("nodes without workers, and events from outside", func(t *testing.T) {
		t.Parallel()
		const secret = "lemon-squeezy-secret"
		env := environ(t, dataDir(t), "WORKERS=0", "PUBLIC_URL=https://pdf.example.com",
			"LEMONSQUEEZY_WEBHOOK_SECRET="+secret, "LEMONSQUEEZY_VARIANTS=1=pro,2=business", "LEMONSQUEEZY_TEST_MODE=true")
		server := start(t, env, "serve")
		code, found := findingsOf(t, env)
		if q := found["queue"]; code != exitOK || len(q) != 1 || q[0].State != stateWarning || !strings.Contains(q[0].Message, "no node has workers") {
			t.Errorf("exit status %d, %+v", code, q)
		}
		if len(found["clean-up"]) != 0 { // nobody is there to do it
			t.Errorf("%+v", found["clean-up"])
		}
		p := found["providers"]
		if len(p) != 2 || !strings.Contains(p[0].Message, "https://pdf.example.com/webhooks/lemonsqueezy, for 2 variants") || p[1].State != stateWarning {
			t.Errorf("%+v", p)
		}
		for _, f := range p {
			if strings.Contains(f.Message, secret) {
				t.Errorf("a secret is shown: %s", f.Message)
			}
		}
		server.terminate()
	})
	t.Run("what is broken gets its advice", func(t *testing.T) {
		t.Parallel()
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		nobody := l.Addr().String()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		for check, c := range map[string]struct{ setting, message, advice string }{
			"configuration": {"WORKERS=many", "WORKERS: ", "--help"},
			"postgres":      {"DATABASE_URL=postgres://u:hunter22@" + nobody + "/db", "DATABASE_URL: ", "Postgres runs"},
			"bucket":        {"BLOB_URL=s3://none?region=us-east-1&use_path_style=true&endpoint=http://" + nobody, "", "AWS_"},
			"clerk":         {"CLERK_JWT_KEY=nonsense", "PEM", "dashboard"},
			"engine":        {"ENGINE_CACHE_DIR=/tmp", "", "private"},
		} {
			env := environ(t, dataDir(t), "AWS_ACCESS_KEY_ID=x", "AWS_SECRET_ACCESS_KEY=hunter22", c.setting)
			code, found := findingsOf(t, env)
			good := false
			for _, f := range found[check] {
				good = good || f.State == stateProblem && strings.Contains(f.Message, c.message) && strings.Contains(f.Advice, c.advice)
				if strings.Contains(f.Message, "hunter22") {
					t.Errorf("a secret is shown: %s", f.Message)
				}
			}
			if code != exitFailure || !good {
				t.Errorf("%s: exit status %d, %+v", c.setting, code, found[check])
			}
		}
	})
}

func TestDoctorOnS3(t *testing.T) {
	bucket := s3test.Start(t)
	env := environ(t, dataDir(t), "BLOB_URL="+bucket.URL())
	_, found := findingsOf(t, env)
	if len(found["bucket"]) != 1 || found["bucket"][0].State != stateOK {
		t.Errorf("%+v", found["bucket"])
	}
	if len(found["clocks"]) != 2 { // Postgres's, and the bucket's from the answer to a download link
		t.Errorf("%+v", found["clocks"])
	}
}
