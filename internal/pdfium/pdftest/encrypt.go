package pdftest

import (
	"crypto/md5"
	"crypto/rc4"
	"encoding/binary"
	"fmt"
)

// fileID is the file identifier, part of the encryption key.
const fileID = "ragify test file"

// padding fills passwords up to 32 bytes, PDF 32000-1 algorithm 2.
const padding = "\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"

// permissions forbid everything but printing.
const permissions = -3900

// encryption is the standard security handler, revision 3, RC4 with 128 bits.
type encryption struct {
	key         []byte
	owner, user string
}

// Encrypted is the finished file, encrypted. An empty user password gives a file that opens without
// one but restricts what readers may do.
func (b *Builder) Encrypted(userPassword, ownerPassword string) []byte {
	return b.build(newEncryption(userPassword, ownerPassword))
}

func newEncryption(user, owner string) *encryption {
	pad := func(s string) []byte { return []byte((latin1(s) + padding)[:32]) }
	hash := func(n int, data []byte) []byte {
		for range n {
			sum := md5.Sum(data)
			data = sum[:]
		}
		return data
	}
	// Algorithm 3: the owner entry is the user password under a key from the owner password.
	e := &encryption{owner: string(rounds(hash(51, pad(owner)), pad(user)))}
	// Algorithm 2: the file key.
	p := int32(permissions)
	data := append(pad(user), e.owner...)
	data = binary.LittleEndian.AppendUint32(data, uint32(p))
	e.key = hash(51, append(data, fileID...))
	// Algorithm 5: the user entry.
	check := rounds(e.key, hash(1, []byte(padding+fileID)))
	e.user = string(append(check, make([]byte, 16)...))
	return e
}

// rounds encrypts 20 times with the key xored by the round's number.
func rounds(key, data []byte) []byte {
	data = append([]byte(nil), data...)
	for n := range 20 {
		k := make([]byte, len(key))
		for i := range k {
			k[i] = key[i] ^ byte(n)
		}
		apply(k, data)
	}
	return data
}

// apply runs RC4 over data in place.
func apply(key, data []byte) {
	c, err := rc4.NewCipher(key)
	if err != nil {
		panic(err) // the key's length is ours
	}
	c.XORKeyStream(data, data)
}

// object encrypts data of object id, algorithm 1.
func (e *encryption) object(id int, data string) string {
	sum := md5.Sum(append(append([]byte(nil), e.key...), byte(id), byte(id>>8), byte(id>>16), 0, 0))
	out := []byte(data)
	apply(sum[:], out)
	return string(out)
}

func (e *encryption) dictionary() string {
	return fmt.Sprintf("<< /Filter /Standard /V 2 /R 3 /Length 128 /P %d /O <%x> /U <%x> >>", permissions, e.owner, e.user)
}
