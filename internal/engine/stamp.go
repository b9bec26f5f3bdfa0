package engine

import (
	"bufio"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/ragify/ragify/internal/document"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/stamp"
)

// original is the file as the PDF formats add to it: decrypted, and written anew by PDFium.
type original struct {
	file *os.File
	pdf  *stamp.Base
}

// saveOriginal saves the file when a PDF format is asked for, once for all of them. It has to come before the pages are
// read, which changes them in memory.
//
// Faults: Invalid with code pdf_output_failed when the file cannot be saved in a way that it can be added to.
func (c *conversion) saveOriginal() (err error) {
	defer fault.Op(&err, "engine.saveOriginal()")
	if !slices.Contains(c.options.Format, option.AnnotatedPDF) && !slices.Contains(c.options.Format, option.TaggedPDF) {
		return nil
	}
	file, err := os.CreateTemp(c.request.OutDir, ".original-*.pdf")
	if err != nil {
		return err
	}
	c.original = &original{file: file}
	// Where the system lets an open file go without a name, it ends with the process, however that ends.
	_ = os.Remove(file.Name())
	w := bufio.NewWriterSize(file, 256<<10)
	if err := c.file.SaveDecrypted(w); err != nil {
		return notWritable(err)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	c.original.pdf, err = stamp.Open(file, size)
	return notWritable(err)
}

// removeOriginal ends what saveOriginal began.
func (c *conversion) removeOriginal() error {
	if c.original == nil {
		return nil
	}
	err := c.original.file.Close()
	if removed := os.Remove(c.original.file.Name()); !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}

// errDamagedPDF matches pdfium's fault for a file that cannot be saved.
var errDamagedPDF = &fault.Fault{Code: "damaged_pdf"}

// notWritable turns errors that blame the file into the fault for the client, and leaves others as they are.
func notWritable(err error) error {
	if errors.Is(err, stamp.ErrUnreadable) || errors.Is(err, errDamagedPDF) {
		return fault.New(fault.Invalid, "pdf_output_failed",
			"This PDF is built in a way that cannot be written anew: ask for other formats than tagged-pdf and annotated-pdf.").Because(err)
	}
	return err
}

// annotate writes the original with a box around each element.
func (c *conversion) annotate(w io.Writer, doc *document.Document) error {
	left, err := stamp.Annotate(w, c.original.pdf, doc)
	if err != nil {
		return notWritable(err)
	}
	if len(left) > 0 {
		doc.Warnings = append(doc.Warnings, document.Warning{
			Code: "annotations_incomplete", Message: "These pages are built in a way that nothing can be added to: annotated-pdf shows them without boxes.", Pages: left,
		})
	}
	return nil
}

// warnOfSignature tells, once for all PDF formats, that they are not what was signed.
func (c *conversion) warnOfSignature(doc *document.Document) {
	if c.original != nil && c.original.pdf.Signed() {
		doc.Warnings = append(doc.Warnings, document.Warning{
			Code: "signature_invalidated", Message: "This PDF is digitally signed: in the PDF files made of it the signature is not valid.",
		})
	}
}
