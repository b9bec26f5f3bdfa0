package ocr

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// maxOutput bounds what is read of the program, in bytes. A word takes 100, and the densest newspaper page has 10,000.
const maxOutput = 16 << 20

// maxComplaint bounds what is kept of its standard error.
const maxComplaint = 1 << 10

// waitDelay is how long the program may take to end after it was killed.
const waitDelay = 2 * time.Second

// run runs the program on one processor with in as its input, and gives what it prints. It sees nothing of our
// environment but where it and its models are.
func run(ctx context.Context, in io.Reader, path string, args ...string) ([]byte, error) {
	out, complaint := limited{room: maxOutput, strict: true}, limited{room: maxComplaint}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &complaint
	cmd.Env = []string{"OMP_THREAD_LIMIT=1", "LC_ALL=C"}
	for _, name := range []string{"PATH", "TESSDATA_PREFIX", "SYSTEMROOT"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.WaitDelay = waitDelay
	dieWithParent(cmd)
	// What dieWithParent asks for happens at the end of the thread that starts the program.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("%w: %q", err, complaint.kept.Bytes())
	}
	return out.kept.Bytes(), nil
}

// errTooMuch stops a program that prints without end.
var errTooMuch = errors.New("tesseract prints too much")

// A limited buffer keeps no more than there is room for. A strict one fails then.
type limited struct {
	kept   bytes.Buffer // no part of the type: its ReadFrom would know no limit
	room   int
	strict bool
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if fits := l.room - l.kept.Len(); len(p) > fits {
		if l.strict {
			return 0, errTooMuch
		}
		_, err := l.kept.Write(p[:fits])
		return len(p), err
	}
	return l.kept.Write(p)
}

// picture is a portable graymap of img: binary PGM, which every build of Tesseract reads.
func picture(img *image.Gray) io.Reader {
	size := img.Bounds().Size()
	head := fmt.Appendf(nil, "P5\n%d %d\n255\n", size.X, size.Y)
	return io.MultiReader(bytes.NewReader(head), bytes.NewReader(img.Pix))
}
