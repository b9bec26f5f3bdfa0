package pdftest

import (
	"bytes"

	"github.com/pdfcpu/pdfcpu/pkg/api"
	"github.com/pdfcpu/pdfcpu/pkg/pdfcpu/model"
)

// keyBits selects AES-256, what today's programs encrypt with (PDF 32000-2, 7.6).
const keyBits = 256

// Encrypted is the finished file, encrypted. An empty user password gives a file that opens without
// one but restricts what readers may do.
func (b *Builder) Encrypted(userPassword, ownerPassword string) []byte {
	api.DisableConfigDir() // or pdfcpu writes its settings into the home directory
	var out bytes.Buffer
	c := model.NewAESConfiguration(userPassword, ownerPassword, keyBits)
	if err := api.Encrypt(bytes.NewReader(b.Bytes()), &out, c); err != nil {
		panic("pdftest: " + err.Error()) // the file is ours
	}
	return out.Bytes()
}
