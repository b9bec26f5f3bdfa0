package pdfium

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
)

// PDFium's error codes of FPDF_GetLastError that are told apart.
const (
	errPassword = 4
	errSecurity = 5
)

// saveWithoutSecurity is FPDF_SaveAsCopy's flag 3: the whole file, encryption removed. (Flag 1,
// incremental, would rewrite everything that happens to be loaded.)
const saveWithoutSecurity = 3

// File is an open PDF. It is not safe for concurrent use, and at most one file may be open on a
// Runtime at a time.
type File struct {
	r         *Runtime
	inst      *instance
	id        uint32 // key in inst.readers
	size      int64  // bytes
	access    uint32 // address of PDFium's FPDF_FILEACCESS
	doc       uint64
	numPages  int
	geometry  map[int]geometry // of the pages seen so far, for the outline's targets
	described map[fontFacts]document.Font
	fonts     []fontEntry // scratch of Content, as the next one
	open      openPage

	// For reopening, see refresh.
	password string
	since    int    // pages read since the file was opened
	mark     uint32 // module memory in bytes above which it is opened anew
}

// Open opens the PDF in src, which is size bytes long. The empty password is tried first: files that only
// restrict permissions open with it. The password is UTF-8; other encodings of it are tried as well. It is kept until
// Close, in memory only.
//
// Faults: Invalid with code damaged_pdf, password_required, wrong_password, unsupported_encryption or
// too_complex.
func (r *Runtime) Open(src io.ReaderAt, size int64, password string) (f *File, err error) {
	defer fault.Op(&err, "pdfium.Open(%d bytes)", size)
	if size <= 0 {
		return nil, damaged(nil)
	}
	if size > math.MaxUint32 {
		return nil, fault.New(fault.Invalid, "too_complex", "This PDF is larger than 4 GB, which is more than can be parsed.")
	}
	inst, err := r.instance()
	if err != nil {
		return nil, err
	}
	inst.nextID++
	f = &File{r: r, inst: inst, id: inst.nextID, size: size, geometry: make(map[int]geometry), described: make(map[fontFacts]document.Font)}
	inst.readers[f.id] = newBlockReader(src, size)
	f.access = uint32(inst.call(fnFileAccessCreate, uint64(size), uint64(f.id)))
	if err := f.load(password); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	f.password, f.mark = password, inst.mem.Size()+reopenAfter
	return f, nil
}

// PDFium keeps every object that it has parsed until the document is closed. A file is opened anew when that has taken
// reopenAfter bytes, as some 4,000 ordinary pages do; leastSince bounds how often, where single pages take so much.
const (
	reopenAfter = 64 << 20
	leastSince  = 32 // pages
)

// refresh opens the file anew where PDFium has come to keep too much of it, so that memory does not grow with the number
// of pages. Module memory never shrinks but is used again: so the next time is when it has to grow once more.
func (f *File) refresh() error {
	f.since++
	size := f.inst.mem.Size()
	if f.since <= leastSince || size <= f.mark {
		return nil
	}
	f.since, f.mark = 0, size
	f.leave()
	f.inst.call(fnCloseDocument, f.doc)
	f.doc = 0
	return f.load(f.password)
}

// load opens the document, without a password and then with it, in the encodings that it may have.
func (f *File) load(password string) error {
	code := f.try("")
	if code == errPassword {
		if password == "" {
			return fault.New(fault.Invalid, "password_required", "This PDF is encrypted: give its password in the option password.")
		}
		for _, encoded := range encodings(password) {
			if code = f.try(encoded); code != errPassword {
				break
			}
		}
		if code == errPassword {
			return fault.New(fault.Invalid, "wrong_password", "The password does not open this PDF.")
		}
	}
	if f.inst.err != nil {
		return f.crashed()
	}
	switch {
	case code == errSecurity:
		return fault.New(fault.Invalid, "unsupported_encryption", "This PDF is encrypted in a way that is not supported: remove its protection first.")
	case f.doc == 0:
		return damaged(errors.Join(fmt.Errorf("PDFium error %d", code), f.inst.readErr))
	}
	f.numPages = f.inst.num(fnGetPageCount, f.doc)
	if f.inst.err != nil {
		return f.crashed()
	}
	if f.numPages <= 0 {
		return damaged(errors.New("no pages"))
	}
	return nil
}

// try attempts to open the document and gives PDFium's error code, 0 for success.
func (f *File) try(password string) (code int) {
	var p uint32
	if password != "" {
		p = f.inst.cstring(password)
		defer func() {
			if f.inst.err == nil {
				clear(f.inst.read(p, len(password)))
			}
			f.inst.free(p)
		}()
	}
	if f.doc = f.inst.ptr(fnLoadCustomDocument, uint64(f.access), uint64(p)); f.doc != 0 {
		return 0
	}
	return f.inst.num(fnGetLastError)
}

func damaged(cause error) error {
	return fault.New(fault.Invalid, "damaged_pdf", "This file is damaged: it cannot be read as a PDF.").Because(cause)
}

// crashed is the fault for an instance that trapped, nil when it did not.
func (f *File) crashed() error {
	if f.inst.err == nil || f.inst.err == errClosed {
		return f.inst.err
	}
	return fault.New(fault.Invalid, "too_complex", "This PDF needs more memory than is allowed, or is built in a way that cannot be parsed.").Because(f.inst.err)
}

// NumPages is the number of pages, at least 1.
func (f *File) NumPages() int { return f.numPages }

// SaveDecrypted writes the whole file to w without encryption.
// Faults: Invalid with code too_complex or damaged_pdf.
func (f *File) SaveDecrypted(w io.Writer) (err error) {
	defer fault.Op(&err, "pdfium.SaveDecrypted()")
	i := f.inst
	target := uint32(i.call(fnFileWriteCreate))
	if target == 0 {
		return f.crashed()
	}
	checked := &errorKeeper{w: w}
	i.writers[target] = checked
	saved := i.ok(fnSaveAsCopy, f.doc, uint64(target), saveWithoutSecurity)
	delete(i.writers, target)
	i.free(target)
	switch {
	case i.err != nil:
		return f.crashed()
	case checked.err != nil:
		return checked.err
	case !saved:
		return damaged(errors.Join(errors.New("saving failed"), i.readErr))
	}
	return nil
}

// errorKeeper remembers the first failed write, which PDFium only knows as a failure.
type errorKeeper struct {
	w   io.Writer
	err error
}

func (k *errorKeeper) Write(p []byte) (int, error) {
	n, err := k.w.Write(p)
	if err != nil && k.err == nil {
		k.err = err
	}
	return n, err
}

// Close frees the file. Closing twice, or after the Runtime, is harmless.
func (f *File) Close() error {
	i := f.inst
	if i.err == errClosed {
		return nil
	}
	f.leave()
	f.inst, f.password = &instance{err: errClosed}, ""
	if f.doc != 0 {
		i.call(fnCloseDocument, f.doc)
	}
	i.free(f.access)
	delete(i.readers, f.id)
	if f.r.inst == i && i.err == nil && i.mem.Size() > recycleAbove {
		return f.r.discard()
	}
	return nil
}
