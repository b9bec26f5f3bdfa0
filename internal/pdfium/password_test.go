package pdfium_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
)

// opens tries a password; code "" means that the file has to open and to save without encryption.
func opens(t *testing.T, pdf []byte, password, code string) {
	t.Helper()
	f, err := sharedRuntime(t).Open(bytes.NewReader(pdf), int64(len(pdf)), password)
	if code != "" {
		if err == nil {
			_ = f.Close()
		}
		wantFault(t, err, code)
		return
	}
	if err != nil {
		t.Errorf("password %q: %v", password, err)
		return
	}
	encrypted := f.Meta().Encrypted
	var plain bytes.Buffer
	if err := errors.Join(f.SaveDecrypted(&plain), f.Close()); err != nil {
		t.Error(err)
	}
	saved := open(t, plain.Bytes())
	var c document.Content
	if err := saved.Content(1, &c); err != nil || text(c) != "secret" || !encrypted || saved.Meta().Encrypted {
		t.Errorf("password %q: encrypted %v; the copy: encrypted %v, text %q, %v", password, encrypted, saved.Meta().Encrypted, text(c), err)
	}
}

func secret() *pdftest.Builder {
	b := pdftest.New()
	b.Page(300, 300).Text(50, 200, 12, pdftest.Regular, "secret")
	return b
}

func TestOpen_every_scheme(t *testing.T) {
	for _, scheme := range pdftest.Schemes() {
		t.Run(string(scheme), func(t *testing.T) {
			both := secret().EncryptedAs(scheme, "user", "owner")
			opens(t, both, "user", "")
			opens(t, both, "owner", "")
			opens(t, both, "", "password_required")
			opens(t, both, "User", "wrong_password")
			opens(t, both, "user ", "wrong_password")
			restricted := secret().EncryptedAs(scheme, "", "owner")
			opens(t, restricted, "", "")
			opens(t, restricted, "owner", "")
			opens(t, restricted, "not needed", "")
		})
	}
}

// A password is what its owner typed, and each scheme has its own idea of which bytes that is.
func TestOpen_passwords_beyond_ASCII(t *testing.T) {
	windows := func(s string) string {
		encoded, err := charmap.Windows1252.NewEncoder().String(s)
		if err != nil {
			t.Fatal(err)
		}
		return encoded
	}
	long := strings.Repeat("ñandú", 30) // 210 bytes of UTF-8, of which AES-256 uses 127
	for _, c := range []struct {
		name, written, given string
		schemes              []pdftest.Scheme
	}{
		{"UTF-8 as it is", "schlüssel", "schlüssel", pdftest.Schemes()},
		{"Latin-1 in old files", windows("schlüssel"), "schlüssel", []pdftest.Scheme{pdftest.RC440, pdftest.RC4128, pdftest.AES128}},
		{"Latin-1 for accents typed apart", windows("café"), "cafe\u0301", []pdftest.Scheme{pdftest.RC440, pdftest.AES128}},
		{"Windows-1252 in old files", windows("20€–30€"), "20€–30€", []pdftest.Scheme{pdftest.RC440, pdftest.RC4128, pdftest.AES128}},
		{"PDFDocEncoding in old files", "20\xa0\x8530\xa0\x18", "20€–30€˘", []pdftest.Scheme{pdftest.RC440, pdftest.RC4128, pdftest.AES128}},
		{"SASLprep: compatibility forms", "IX", "\u2168", []pdftest.Scheme{pdftest.AES256X, pdftest.AES256}},
		{"SASLprep: other spaces and soft hyphens", "a bc", "a\u00a0b\u00adc", []pdftest.Scheme{pdftest.AES256X}},
		{"127 bytes of a long one", long[:127], long, []pdftest.Scheme{pdftest.AES256X}},
		{"32 bytes of a long one in old files", long[:32], long, []pdftest.Scheme{pdftest.RC440, pdftest.RC4128, pdftest.AES128}},
	} {
		for _, scheme := range c.schemes {
			t.Run(c.name+", "+string(scheme), func(t *testing.T) {
				pdf := secret().EncryptedAs(scheme, c.written, "owner")
				opens(t, pdf, c.given, "")
				opens(t, pdf, "x"+c.given, "wrong_password")
			})
		}
	}
}

// Revision 3, and the judgement of another program on what to do with a password.
func TestOpen_what_qpdf_encrypts(t *testing.T) {
	qpdf, err := exec.LookPath("qpdf")
	if err != nil {
		t.Skip("NOT TESTED: qpdf is not installed")
	}
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain.pdf")
	if err := os.WriteFile(plain, secret().Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string][]string{
		"R2": {"40"}, "R3": {"128", "--use-aes=n"}, "R4": {"128", "--use-aes=y"}, "R4, RC4": {"128", "--force-V4"},
		"R4, metadata readable": {"128", "--use-aes=y", "--cleartext-metadata"},
		"R5":                    {"256", "--force-R5"}, "R6": {"256"},
	} {
		t.Run(name, func(t *testing.T) {
			target := filepath.Join(dir, strings.ReplaceAll(name, " ", "")+".pdf")
			command := []string{"--allow-weak-crypto", "--object-streams=preserve", "--encrypt", "schlüssel", "öwner"}
			command = append(append(command, arguments...), "--", plain, target)
			if out, err := exec.CommandContext(t.Context(), qpdf, command...).CombinedOutput(); err != nil {
				t.Fatalf("qpdf: %v\n%s", err, out)
			}
			pdf, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			opens(t, pdf, "schlüssel", "")
			opens(t, pdf, "öwner", "")
			opens(t, pdf, "", "password_required")
			opens(t, pdf, "schlussel", "wrong_password")
		})
	}
}

func TestOpen_an_unknown_way_to_encrypt(t *testing.T) {
	pdf := secret().EncryptedAs(pdftest.AES128, "user", "owner")
	unknown := bytes.Replace(pdf, []byte("/Filter/Standard"), []byte("/Filter/Mystery1"), 1)
	if bytes.Equal(pdf, unknown) {
		t.Fatal("the file names no handler")
	}
	opens(t, unknown, "", "unsupported_encryption")
	opens(t, unknown, "user", "unsupported_encryption")
}
