package pdfium

import (
	_ "unsafe" // for go:linkname

	_ "github.com/klippa-app/go-pdfium/webassembly" // links the embedded module in
)

// wasm is PDFium compiled to WebAssembly. The go-pdfium module builds and embeds it, in an internal
// package; only these bytes are used here, none of its code.
//
//go:linkname wasm github.com/klippa-app/go-pdfium/internal/pdfium_wasm.Module
var wasm []byte
