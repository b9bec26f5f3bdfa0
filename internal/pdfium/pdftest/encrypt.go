package pdftest

import (
	"bytes"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// Scheme is a way to encrypt a file, by its revision of the standard security handler (PDF 32000-2, 7.6.4).
type Scheme string

// The schemes.
const (
	RC440   Scheme = "RC4, 40 bits, R2"
	RC4128  Scheme = "RC4, 128 bits, R4"
	AES128  Scheme = "AES, 128 bits, R4"
	AES256X Scheme = "AES, 256 bits, R5" // Adobe's extension level 3, which came before PDF 2.0
	AES256  Scheme = "AES, 256 bits, R6"
)

// Schemes lists them all.
func Schemes() []Scheme { return []Scheme{RC440, RC4128, AES128, AES256X, AES256} }

// Encrypted is the finished file, encrypted with what programs use today. An empty user password gives a file that
// opens without one but restricts what readers may do.
func (b *Builder) Encrypted(userPassword, ownerPassword string) []byte {
	return b.EncryptedAs(AES256, userPassword, ownerPassword)
}

// EncryptedAs is the finished file, encrypted with a scheme as by Encrypt.
func (b *Builder) EncryptedAs(scheme Scheme, userPassword, ownerPassword string) []byte {
	return Encrypt(b.Bytes(), scheme, userPassword, ownerPassword)
}

// Encrypt encrypts a file of this package. The passwords are bytes in whatever encoding, but for AES256, which takes
// UTF-8.
func Encrypt(plain []byte, scheme Scheme, userPassword, ownerPassword string) []byte {
	api.DisableConfigDir() // or pdfcpu writes its settings into the home directory
	var c *model.Configuration
	switch scheme {
	case RC440:
		c = model.NewRC4Configuration(userPassword, ownerPassword, 40)
	case RC4128:
		c = model.NewRC4Configuration(userPassword, ownerPassword, 128)
	case AES128:
		c = model.NewAESConfiguration(userPassword, ownerPassword, 128)
	case AES256X:
		c = model.NewAESConfiguration(userPassword, ownerPassword, 256)
	case AES256:
		// pdfcpu takes R6 for files of PDF 2.0 only.
		plain = append([]byte("%PDF-2.0"), plain[len("%PDF-2.0"):]...)
		c = model.NewAESConfiguration(userPassword, ownerPassword, 256)
	default:
		panic("pdftest: unknown scheme " + scheme)
	}
	var out bytes.Buffer
	if err := api.Encrypt(bytes.NewReader(plain), &out, c); err != nil {
		panic("pdftest: " + err.Error()) // the file is ours
	}
	return out.Bytes()
}
