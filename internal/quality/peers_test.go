package main

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPeersAreCalledForAFolderOrForEachFile(t *testing.T) {
	pdfs := []string{"in/a.pdf", "in/b.pdf"}
	whole := wholeFolder("whole", "prog", "-x", "-o")
	if diff := cmp.Diff([][]string{{"prog", "-x", "-o", "out", "in"}}, whole.folder(pdfs, "out")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"prog", "-x", "-o", "out", "in/a.pdf"}, whole.one("in/a.pdf", "out")); diff != "" {
		t.Error(diff)
	}
	each := fileByFile("each", func(pdf, out string) []string { return []string{"prog", pdf, out + "/" + stem(pdf)} })
	if diff := cmp.Diff([][]string{{"prog", "in/a.pdf", "out/a"}, {"prog", "in/b.pdf", "out/b"}}, each.folder(pdfs, "out")); diff != "" {
		t.Error(diff)
	}
}

func TestVersionOfAJar(t *testing.T) {
	path := filepath.Join(t.TempDir(), "peer.jar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	w, err := z.Create("META-INF/maven/org.opendataloader/opendataloader-pdf-cli/pom.properties")
	if err == nil {
		_, err = w.Write([]byte("artifactId=x\nversion=1.2.3\r\n"))
	}
	if err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if v, err := jarVersion(path); err != nil || v != "1.2.3" {
		t.Errorf("version %q, %v", v, err)
	}
	if _, err := jarVersion(""); err == nil {
		t.Error("no jar has a version")
	}
}

func TestPeerTableComparesWithRagify(t *testing.T) {
	ms := func(list ...int) (out []time.Duration) {
		for _, v := range list {
			out = append(out, time.Duration(v)*time.Millisecond)
		}
		return out
	}
	scores := []float64{0.9, 0.8, absent, 0.7}
	var out strings.Builder
	printPeers(&out, []measured{
		{peer: peer{name: "ragify"}, folder: ms(900, 500, 400), one: ms(100, 120, 90), memory: 200, means: scores},
		{peer: peer{name: "opendataloader 9"}, folder: ms(3000, 2500, 2000), one: ms(600, 500, 700), memory: 800, means: scores},
	}, 100, 3)
	for _, want := range []string{
		"0.50 (0.40–0.90)", "2.50 (2.00–3.00)",
		"ragify has 5.0 times the rate of opendataloader 9 over the folder (required: 5) and 6.0 times on one file (required: 4).",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestMemoryOfAProgramCountsWhatItStarts(t *testing.T) {
	if own, _ := filepath.Glob("/proc/self/task/*/children"); len(own) == 0 {
		t.Skip("SKIPPED: this system does not tell which processes a process has started")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "cat; true") // a shell that waits for another program
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := in.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := answers.Read(answer); err != nil { // now cat is there
		t.Fatal(err)
	}
	both := residentPages(cmd.Process.Pid)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	if one := residentPages(cat); one == 0 || both <= one {
		t.Errorf("%d pages with its child, which has %d", both, one)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
}

func TestFailedProgramTellsWhatItSaid(t *testing.T) {
	for _, run := range []func(context.Context, []string) error{runQuietly, func(ctx context.Context, call []string) error {
		_, err := runWatched(ctx, call)
		return err
	}} {
		if err := run(t.Context(), []string{"sh", "-c", "echo not today; exit 3"}); err == nil || !strings.Contains(err.Error(), "not today\n") {
			t.Errorf("error %v", err)
		}
	}
}
