package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/queue"
)

const secretText = "Nobody may read this."

func secret() *pdftest.Builder {
	b := pdftest.New()
	b.Page(612, 792).Text(72, 700, 11, pdftest.Regular, secretText)
	return b
}

// withPassword is the form of an upload with a password, of none when it is empty.
func withPassword(pdf []byte, password string) form {
	options, err := json.Marshal(map[string]any{"password": password, "format": []string{"markdown", "json", "annotated-pdf"}})
	if err != nil {
		panic(err) // strings
	}
	return form{{"file", "secret.pdf", string(pdf)}, {"options", "", string(options)}}
}

func TestPasswords(t *testing.T) {
	w, _ := realWorld(t)
	u := w.user(plan.Business)
	for _, scheme := range pdftest.Schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			u := u.in(t)
			locked := secret().EncryptedAs(scheme, "Straße 7", "öwner")
			for _, path := range []string{"/jobs", "/jobs?dry_run=true"} {
				u.uploadTo(path, form{{"file", "secret.pdf", string(locked)}}).fails(http.StatusBadRequest, "password_required")
				u.uploadTo(path, withPassword(locked, "Strasse 7")).fails(http.StatusBadRequest, "wrong_password")
			}
			dry := u.uploadTo("/jobs?dry_run=true", withPassword(locked, "Straße 7")).want(http.StatusOK).object()
			if dry["encrypted"] != true || dry["page_count"] != 1.0 {
				t.Errorf("dry run %v", dry)
			}
			for _, c := range []struct {
				pdf      []byte
				password string
			}{
				{locked, "Straße 7"},
				{locked, "öwner"},
				{secret().EncryptedAs(scheme, "", "owner"), ""},
				{secret().EncryptedAs(scheme, "", "owner"), "of no use"},
				{secret().EncryptedAs(scheme, "same", "same"), "same"},
			} {
				got := u.convert(c.pdf, withPassword(nil, c.password)[1].value)
				if md := string(got.files["markdown"].body); !strings.Contains(md, secretText) {
					t.Errorf("password %q: %s", c.password, md)
				}
				if bytes.Contains(got.files["annotated-pdf"].body, []byte("/Encrypt")) {
					t.Error("the annotated PDF is encrypted")
				}
				if diff := cmp.Diff([]string{"protection_removed"}, got.warnings()); diff != "" {
					t.Error(diff)
				}
				if _, shown := got.job["options"].(map[string]any)["password"]; shown {
					t.Error("the job shows the password")
				}
				if !bytes.Contains(got.files["json"].body, []byte("protection_removed")) {
					t.Error("the JSON does not warn as the job does")
				}
			}
		})
	}
	t.Run("an unknown way to encrypt", func(t *testing.T) {
		pdf := bytes.Replace(secret().Encrypted("user", "owner"), []byte("/Filter/Standard"), []byte("/Filter/Mystery1"), 1)
		u.in(t).upload(withPassword(pdf, "user")).fails(http.StatusBadRequest, "unsupported_encryption")
	})
	t.Run("what was repaired before it was decrypted is told", func(t *testing.T) {
		pdf := bytes.Replace(secret().Encrypted("user", "owner"), []byte("startxref"), []byte("startxxxx"), 1)
		got := u.in(t).convert(pdf, `{"password": "user"}`)
		if diff := cmp.Diff([]string{"protection_removed", "repaired_file"}, got.warnings()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("no password is kept anywhere", func(t *testing.T) {
		w := w.in(t)
		log := w.log.String()
		for _, password := range []string{"Straße 7", "Strasse 7", "öwner", "of no use"} {
			if strings.Contains(log, password) {
				t.Errorf("the log has %q", password)
			}
			var found int
			err := w.pool.QueryRow(t.Context(), `
				SELECT (SELECT count(*) FROM jobs j WHERE j::text LIKE $1) + (SELECT count(*) FROM river_job r WHERE r::text LIKE $1)`, "%"+password+"%").Scan(&found)
			if err != nil || found > 0 {
				t.Errorf("%d rows have %q, %v", found, password, err)
			}
		}
	})
	t.Run("a repetition with another password gives the first answer", func(t *testing.T) {
		u := u.in(t)
		pdf := secret().Encrypted("user", "owner")
		first := u.upload(withPassword(pdf, "user"), "Idempotency-Key", "k1").want(http.StatusCreated).object()
		again := u.upload(withPassword(pdf, "owner"), "Idempotency-Key", "k1").want(http.StatusCreated).object()
		if first["id"] != again["id"] {
			t.Errorf("%v, then %v", first["id"], again["id"])
		}
		for range u.follow(first["id"].(string)) { // to the end
		}
	})
}

// filesIn lists the files in and below dirs.
func filesIn(t *testing.T, dirs []string) (found []string) {
	t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				found = append(found, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(found)
	return found
}

// The decrypted copy of an upload ends with its job, however that ends.
func TestPasswords_decrypted_copies_end_with_the_job(t *testing.T) {
	w, dirs := realWorld(t, func(c *queue.Config) { c.JobTimeout = 3 * time.Second })
	u := w.user(plan.Business)
	locked := secret().Encrypted("user", "owner")
	gone := func(what string) {
		t.Helper()
		if left := filesIn(t, dirs); len(left) > 0 {
			t.Errorf("%s: left are %q", what, left)
		}
	}
	u.upload(withPassword(locked, "guess")).fails(http.StatusBadRequest, "wrong_password")
	u.uploadTo("/jobs?dry_run=true", withPassword(locked, "user")).want(http.StatusOK)
	gone("refused, or a dry run")

	ended := func(f form) string {
		id := u.upload(f).want(http.StatusCreated).object()["id"].(string)
		for range u.follow(id) { // to the end
		}
		return id
	}
	id := ended(withPassword(locked, "user"))
	if len(filesIn(t, dirs)) == 0 {
		t.Fatal("nothing is stored: this test looks in the wrong places")
	}
	u.send(http.MethodDelete, "/jobs/"+id, nil).want(http.StatusNoContent)
	gone("deleted")

	id = ended(withPassword(locked, "user"))
	expire := func() {
		t.Helper()
		if _, err := w.pool.Exec(t.Context(), `UPDATE jobs SET expires_at = now() - interval '1 minute' WHERE id = $1`, id); err != nil {
			t.Fatal(err)
		}
		if err := w.queue.Expire(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	expire()
	gone("expired")

	// A job that fails keeps its upload until it expires, as one that is done: neither longer, nor in two places.
	id = ended(withPassword(pdftest.Encrypt(pdftest.Slow(), pdftest.AES128, "user", "owner"), "user"))
	if j := u.get("/jobs/" + id).object(); j["status"] != "failed" {
		t.Fatalf("the job is %v", j["status"])
	}
	if left := filesIn(t, dirs[1:]); len(left) > 0 {
		t.Errorf("after a failure: left in temporary directories are %q", left)
	}
	expire()
	gone("failed, and expired")
}
