package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/plan"
)

// bigBody is far beyond what socket buffers take: a server that does not read it blocks the client.
const bigBody = 40_000_000

// smallPlans has plans with a file limit of one megabyte, so that big bodies can stay small.
func smallPlans(d *httpapi.Deps) {
	plans := plan.Default()
	for tier, p := range plans {
		p.MaxFileSize = new(int64(1_000_000))
		plans[tier] = p
	}
	d.Plans = plans
}

// bigForm gives the parts of a multipart body around size bytes of filler.
func bigForm(size int, before ...field) (head, tail string, length int) {
	var b strings.Builder
	for _, f := range before {
		fmt.Fprintf(&b, "--bound\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", f.name, f.value)
	}
	b.WriteString("--bound\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big.pdf\"\r\nContent-Type: application/pdf\r\n\r\n")
	head, tail = b.String(), "\r\n--bound--\r\n"
	return head, tail, len(head) + size + len(tail)
}

// filler is size bytes that begin with start.
func filler(start string, size int) io.Reader {
	return io.MultiReader(strings.NewReader(start), io.LimitReader(zeros{}, int64(size-len(start))))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// rawConn is a client that sends as it likes, whatever the server answers meanwhile.
func (w *world) rawConn() net.Conn {
	w.t.Helper()
	conn, err := net.Dial("tcp", w.server.Listener.Addr().String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// readAnswer reads the answer on a raw connection.
func (w *world) readAnswer(r *bufio.Reader) (a answer, closes bool) {
	w.t.Helper()
	request, _ := http.NewRequest(http.MethodPost, w.server.URL+"/jobs", nil)
	resp, err := http.ReadResponse(r, request)
	if err != nil {
		w.t.Fatalf("no answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatalf("half an answer: %v", err)
	}
	if err := description(w.t).check(request, resp, body); err != nil {
		w.t.Errorf("%s: not as described: %v", body, err)
	}
	return answer{w.t, resp.StatusCode, resp.Header, body}, resp.Close
}

func TestRefusal_reaches_clients_that_send_everything_first(t *testing.T) {
	w := newWorld(t, smallPlans)
	pro, full := w.user(plan.Pro), w.user(plan.Pro)
	for range 5 {
		full.upload(pdf(1)).want(http.StatusCreated)
	}
	key := func(u user) string { return "X-Api-Key: " + u.key.Reveal() + "\r\n" }
	for name, tc := range map[string]struct {
		headers string
		before  []field
		start   string // of the file
		status  int
		code    string
		early   bool // refused by the header alone
	}{
		"no credentials":            {"", nil, "%PDF-", 401, "missing_credentials", true},
		"a bad key":                 {"X-Api-Key: rg_x\r\n", nil, "%PDF-", 401, "invalid_api_key", true},
		"too many jobs":             {key(full), nil, "%PDF-", 429, "too_many_active_jobs", true},
		"declared too large":        {key(pro), nil, "%PDF-", 413, "file_too_large", true},
		"too large, not declared":   {key(pro) + "Transfer-Encoding: chunked\r\n", nil, "%PDF-", 413, "file_too_large", false},
		"not a PDF":                 {key(pro) + "Transfer-Encoding: chunked\r\n", nil, "PK\x03\x04", 400, "not_a_pdf", false},
		"bad options come first":    {key(pro) + "Transfer-Encoding: chunked\r\n", []field{{"options", "", "{"}}, "%PDF-", 400, "options_not_json", false},
		"an unknown field is first": {key(pro) + "Transfer-Encoding: chunked\r\n", []field{{"x", "", ""}}, "%PDF-", 400, "unknown_field", false},
	} {
		t.Run(name, func(t *testing.T) {
			w := w.in(t)
			conn := w.rawConn()
			head, tail, length := bigForm(bigBody, tc.before...)
			fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=bound\r\n%s", tc.headers)
			var body io.Writer = conn
			if strings.Contains(tc.headers, "chunked") {
				fmt.Fprint(conn, "\r\n")
				chunks := &chunkWriter{conn}
				defer chunks.end()
				body = chunks
			} else {
				fmt.Fprintf(conn, "Content-Length: %d\r\n\r\n", length)
			}
			sent, err := io.Copy(body, io.MultiReader(strings.NewReader(head), filler(tc.start, bigBody), strings.NewReader(tail)))
			if err != nil {
				t.Fatalf("the connection broke after %d of %d bytes: %v", sent, length, err)
			}
			if c, ok := body.(*chunkWriter); ok {
				c.end()
			}
			a, closes := w.readAnswer(bufio.NewReader(conn))
			a.fails(tc.status, tc.code)
			if !closes {
				t.Error("the answer does not say that the connection closes")
			}
		})
		if !tc.early {
			continue
		}
		t.Run(name+"/is answered at once when the client waits for a go-ahead", func(t *testing.T) {
			w := w.in(t)
			conn := w.rawConn()
			fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=bound\r\nExpect: 100-continue\r\nContent-Length: %d\r\n%s\r\n", bigBody, tc.headers)
			r := bufio.NewReader(conn)
			a, _ := w.readAnswer(r) // fails on "100 Continue"
			a.fails(tc.status, tc.code)
			if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection stays: %v", err)
			}
		})
	}
	if left := w.leftovers(); len(left) != 0 {
		t.Errorf("left in the temporary directory: %v", left)
	}
}

// chunkWriter writes a chunked body.
type chunkWriter struct{ w io.Writer }

func (c *chunkWriter) Write(p []byte) (int, error) {
	if _, err := fmt.Fprintf(c.w, "%x\r\n%s\r\n", len(p), p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// end may be called again.
func (c *chunkWriter) end() {
	if c.w != nil {
		_, _ = io.WriteString(c.w, "0\r\n\r\n")
	}
	c.w = nil
}

func TestRefusal_of_a_small_request_keeps_the_connection(t *testing.T) {
	w := newWorld(t)
	conn := w.rawConn()
	r := bufio.NewReader(conn)
	for range 3 {
		body, contentType := pdf(1).encode(t)
		fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", contentType, len(body), body)
		a, closes := w.readAnswer(r)
		if a.fails(401, "missing_credentials"); closes {
			t.Fatal("the connection closes")
		}
	}
}

func TestUpload_limit_is_exact(t *testing.T) {
	w := newWorld(t, smallPlans)
	u := w.user(plan.Pro)
	send := func(size int) answer {
		head, tail, length := bigForm(size)
		r, err := http.NewRequest(http.MethodPost, w.server.URL+"/jobs", io.MultiReader(strings.NewReader(head), filler(fakePDF(1), size), strings.NewReader(tail)))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = int64(length)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=bound")
		r.Header.Set("X-Api-Key", u.key.Reveal())
		return w.do(r)
	}
	if got := send(1_000_000).want(http.StatusCreated).object(); got["file_size"] != 1_000_000.0 {
		t.Errorf("file_size %v", got["file_size"])
	}
	for _, size := range []int{1_000_001, 1_100_000, 2_000_000} {
		detail := send(size).fails(http.StatusRequestEntityTooLarge, "file_too_large")
		facts(t, detail, map[string]any{"max_bytes": 1e6, "tier": "pro"})
		if want := "The file is larger than 1 MB, the limit of the pro plan."; detail["message"] != want {
			t.Errorf("%q", detail["message"])
		}
	}
	if left, stored := w.leftovers(), w.storedObjects(); len(left) != 0 || stored != 1 {
		t.Errorf("left %v, %d objects stored", left, stored)
	}
}

func TestUpload_cap_of_the_operator_holds_for_unlimited_plans(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.MaxUploadBytes = 2000 })
	u := w.user(plan.Business)
	u.upload(form{{"file", "", fakePDF(1) + strings.Repeat(" ", 2000-len(fakePDF(1)))}}).want(http.StatusCreated)
	detail := u.upload(form{{"file", "", fakePDF(1) + strings.Repeat(" ", 2001)}}).fails(http.StatusRequestEntityTooLarge, "file_too_large")
	facts(t, detail, map[string]any{"max_bytes": 2000, "tier": "business"})
	if want := "The file is larger than 2000 bytes, the most that this server takes."; detail["message"] != want {
		t.Errorf("%q", detail["message"])
	}
}

func TestUpload_cap_may_be_any_number(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.MaxUploadBytes = math.MaxInt64 })
	w.user(plan.Business).upload(pdf(1)).want(http.StatusCreated)
}

func TestUpload_of_any_size_needs_the_same_memory(t *testing.T) {
	const size = 200_000_000
	w := newWorld(t)
	u := w.user(plan.Business)
	head, tail, length := bigForm(size)
	r, err := http.NewRequest(http.MethodPost, w.server.URL+"/jobs", io.MultiReader(strings.NewReader(head), filler(fakePDF(1), size), strings.NewReader(tail)))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = int64(length)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=bound")
	r.Header.Set("X-Api-Key", u.key.Reveal())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	w.do(r).want(http.StatusCreated)
	runtime.ReadMemStats(&after)
	// Everything allocated on the way, by the client too, not only what is alive at the end.
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 16<<20 {
		t.Errorf("an upload of %d MB allocated %d MB", size/1_000_000, allocated/1_000_000)
	}
}

func TestUpload_that_stalls_is_given_up(t *testing.T) {
	w := newWorld(t, func(d *httpapi.Deps) { d.UploadStall = 200 * time.Millisecond })
	u := w.user(plan.Pro)
	conn := w.rawConn()
	head, _, length := bigForm(5000)
	fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=bound\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s%s",
		u.key.Reveal(), length, head, fakePDF(1))
	a, closes := w.readAnswer(bufio.NewReader(conn))
	if a.fails(400, "upload_interrupted"); !closes {
		t.Error("the connection stays")
	}
}

func TestUpload_that_takes_longer_than_the_stall_is_fine(t *testing.T) {
	stall := time.Second
	w := newWorld(t, func(d *httpapi.Deps) { d.UploadStall = stall })
	u := w.user(plan.Pro)
	pr, pw := io.Pipe()
	go func() {
		head, tail, _ := bigForm(0)
		tick := time.NewTicker(stall / 5)
		defer tick.Stop()
		_, _ = io.WriteString(pw, head+fakePDF(1))
		for range 7 {
			<-tick.C
			_, _ = pw.Write(make([]byte, 2000))
		}
		_, _ = io.WriteString(pw, tail)
		_ = pw.Close()
	}()
	u.send(http.MethodPost, "/jobs", pr, "Content-Type", "multipart/form-data; boundary=bound").want(http.StatusCreated)
}

func TestUpload_that_breaks_off_leaves_nothing(t *testing.T) {
	w := newWorld(t)
	u := w.user(plan.Pro)
	conn := w.rawConn()
	head, _, length := bigForm(5_000_000)
	fmt.Fprintf(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=bound\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n%s",
		u.key.Reveal(), length, head)
	if _, err := io.Copy(conn, filler(fakePDF(1), 1_000_000)); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	w.server.Close() // waits for the request
	if left, stored := w.leftovers(), w.storedObjects(); len(left) != 0 || stored != 0 {
		t.Errorf("left %v, %d objects stored", left, stored)
	}
	if counter, jobs := u.activeJobs(); counter != 0 || jobs != 0 {
		t.Errorf("counter %d, jobs %d", counter, jobs)
	}
}

// pythonUpload sends a file with http.client, which writes all of the body before it reads.
const pythonUpload = `
import http.client, sys, json
host, key, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
head = b'--bound\r\nContent-Disposition: form-data; name="file"; filename="big.pdf"\r\n\r\n%PDF-1.7 pages=1\n'
body = head + b'\0' * size + b'\r\n--bound--\r\n'
def chunks():
    for i in range(0, len(body), 65536):
        yield body[i:i + 65536]
for encoding in ("length", "chunked"):
    conn = http.client.HTTPConnection(host, timeout=60)
    headers = {"Content-Type": "multipart/form-data; boundary=bound", "X-Api-Key": key}
    if encoding == "length":
        conn.request("POST", "/jobs", body=body, headers=headers)
    else:
        conn.request("POST", "/jobs", body=chunks(), headers=headers, encode_chunked=True)
    resp = conn.getresponse()
    print(resp.status, json.loads(resp.read())["detail"]["code"])
`

func TestRefusal_reaches_Python(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("SKIPPED: python3 is not installed")
	}
	w := newWorld(t, smallPlans)
	u := w.user(plan.Pro)
	for _, tc := range []struct{ key, want string }{
		{u.key.Reveal(), "413 file_too_large\n413 file_too_large\n"},
		{"rg_unknown", "401 invalid_api_key\n401 invalid_api_key\n"},
	} {
		for range 3 {
			out, err := exec.CommandContext(t.Context(), python, "-c", pythonUpload, w.server.Listener.Addr().String(), tc.key, fmt.Sprint(bigBody)).CombinedOutput()
			if err != nil || string(out) != tc.want {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
}

func TestRefusal_reaches_curl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("SKIPPED: curl is not installed")
	}
	w := newWorld(t, smallPlans)
	u := w.user(plan.Pro)
	big := filepath.Join(t.TempDir(), "big.pdf")
	file, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(file, filler(fakePDF(1), bigBody)); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, key, want string
		arguments       []string
	}{
		{"over the limit", u.key.Reveal(), "file_too_large 413", nil},
		{"over the limit, chunked", u.key.Reveal(), "file_too_large 413", []string{"-H", "Transfer-Encoding: chunked"}},
		{"over the limit, without waiting", u.key.Reveal(), "file_too_large 413", []string{"-H", "Expect:"}},
		{"a bad key", "rg_unknown", "invalid_api_key 401", nil},
		{"a bad key, without waiting", "rg_unknown", "invalid_api_key 401", []string{"-H", "Expect:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			arguments := append([]string{"-sS", "-w", "\n%{http_code}", "-H", "X-Api-Key: " + tc.key, "-F", "file=@" + big, w.server.URL + "/jobs"}, tc.arguments...)
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), curl, arguments...)
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, &stderr)
			}
			body, status, _ := strings.Cut(stdout.String(), "\n\n")
			var answer struct{ Detail struct{ Code string } }
			if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Detail.Code+" "+status != tc.want {
				t.Errorf("%s", &stdout)
			}
		})
	}
	if n := w.storedObjects(); n != 0 {
		t.Errorf("%d objects stored", n)
	}
}
