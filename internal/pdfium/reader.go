package pdfium

import "io"

// blockSize is the unit in which a blockReader reads, in bytes. PDFium asks for 512 bytes at a time.
const blockSize = 64 << 10

// blockReader turns many small reads into few: it keeps the most recently read blocks.
type blockReader struct {
	src    io.ReaderAt
	size   int64
	blocks [8]block
}

type block struct {
	start int64 // multiple of blockSize
	data  []byte
}

func newBlockReader(src io.ReaderAt, size int64) *blockReader {
	return &blockReader{src: src, size: size}
}

// ReadAt implements io.ReaderAt. Reads larger than a block go straight to the source.
func (b *blockReader) ReadAt(p []byte, off int64) (int, error) {
	if len(p) > blockSize {
		return b.src.ReadAt(p, off)
	}
	done := 0
	for done < len(p) {
		data, err := b.block((off + int64(done)) / blockSize * blockSize)
		if err != nil {
			return done, err
		}
		in := (off + int64(done)) % blockSize
		if in >= int64(len(data)) {
			return done, io.EOF
		}
		done += copy(p[done:], data[in:])
	}
	return done, nil
}

// block gives the block that starts at start, shorter at the file's end.
func (b *blockReader) block(start int64) ([]byte, error) {
	slot := &b.blocks[start/blockSize%int64(len(b.blocks))]
	if slot.data != nil && slot.start == start {
		return slot.data, nil
	}
	n := min(blockSize, b.size-start)
	if n <= 0 {
		return nil, io.EOF
	}
	if cap(slot.data) < blockSize {
		slot.data = make([]byte, blockSize)
	}
	data := slot.data[:n]
	slot.start = -1
	read, err := b.src.ReadAt(data, start)
	if int64(read) < n {
		return nil, err
	}
	slot.start, slot.data = start, data
	return data, nil
}
