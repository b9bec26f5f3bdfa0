//go:build unix

package clustertest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ragify/ragify/internal/clustertest"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
)

var chaosTime = flag.Duration("chaos", 0, "how long TestChaos makes trouble; 0: one short round")

const (
	// restartLimit is within what time the jobs of a dead worker start again elsewhere.
	restartLimit = 15 * time.Second
	// bucketOutage is how long the bucket is away.
	bucketOutage = 20 * time.Second
	// requestTimeout is when a client gives up on an answer, as of a node that stalls.
	requestTimeout = 20 * time.Second
)

// chaos is an installation under load and in trouble.
type chaos struct {
	*clustertest.Cluster

	t        *testing.T
	began    time.Time
	accounts []clustertest.Account
	kinds    []kind
	slowest  time.Duration // until the jobs of a dead worker had started again

	submitted, unknown, refused, replayed atomic.Int64

	mu   sync.Mutex
	jobs map[string]*accepted // by id
}

// accepted is a job whose 201 a client has seen.
type accepted struct {
	account clustertest.Account
	kind    kind
	deleted deletion
}

// deletion is what a client knows of its DELETE.
type deletion int

const (
	kept    deletion = iota
	unclear          // no answer
	gone
)

// kind is a sort of document and what must become of it.
type kind struct {
	name    string
	pdf     []byte
	options string
	fails   string // error code of its job, "" when it succeeds
	share   int    // of the submissions, relative to the others
}

func kinds() []kind {
	return []kind{
		{name: "small.pdf", pdf: pdftest.Pages(1), share: 20},
		{name: "pages.pdf", pdf: pdftest.Pages(4), options: `{"format":["markdown","json","html","text","tagged-pdf"]}`, share: 10},
		{name: "long.pdf", pdf: pdftest.Pages(60), share: 2},
		{name: "bomb.pdf", pdf: pdftest.Bomb(), fails: "too_complex", share: 1},
	}
}

// TestChaos submits without a break while nodes, Postgres and the bucket are killed, stopped, frozen and cut
// off, one after the other, and then wants the books and the bucket to be in perfect order. It runs
// briefly with the other tests, and for long with make test-chaos.
func TestChaos(t *testing.T) {
	long := *chaosTime > 0
	o := clustertest.Options{Nodes: 3, Env: []string{"WORKERS=2", "SHUTDOWN_GRACE=3s", "JOB_TIMEOUT=2m"}}
	accounts := 4
	if long {
		accounts = 20
	}
	c := &chaos{Cluster: clustertest.Start(t, o), t: t, began: time.Now(), kinds: kinds(), jobs: make(map[string]*accepted)}
	for i := range accounts {
		c.accounts = append(c.accounts, c.Account(fmt.Sprintf("chaos-%d@example.com", i), []plan.Tier{plan.Pro, plan.Business}[i%2]))
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var clients sync.WaitGroup
	for _, a := range c.accounts {
		clients.Go(func() { c.submitAll(ctx, a) })
	}
	if long {
		clients.Go(func() { c.report(ctx) })
		c.troubleFor(*chaosTime)
	} else {
		c.shortTrouble()
	}
	stop()
	clients.Wait()
	c.settle()
	c.verify()
}

// say tells what happens, with the time since the start of the test.
func (c *chaos) say(format string, args ...any) {
	c.t.Logf("%6.1f s  "+format, append([]any{time.Since(c.began).Seconds()}, args...)...)
}

// submitAll submits for an account until ctx ends.
func (c *chaos) submitAll(ctx context.Context, a clustertest.Account) {
	for ctx.Err() == nil {
		k := c.pick()
		c.submit(ctx, a, k)
		pause(ctx, time.Duration(50+rand.IntN(250))*time.Millisecond)
	}
}

func (c *chaos) pick() kind {
	all := 0
	for _, k := range c.kinds {
		all += k.share
	}
	n := rand.IntN(all)
	for _, k := range c.kinds {
		if n -= k.share; n < 0 {
			return k
		}
	}
	panic("unreachable")
}

// client is a way to some node, as a load balancer picks one.
func (c *chaos) client(a clustertest.Account) clustertest.Client {
	client := c.Nodes[rand.IntN(len(c.Nodes))].Client(a)
	client.HTTP = &http.Client{Timeout: requestTimeout}
	return client
}

// submit submits once. Where nobody knows whether that made a job, a submission with a key is repeated by
// another node until it is known. Some jobs are deleted again.
func (c *chaos) submit(ctx context.Context, a clustertest.Account, k kind) {
	s := clustertest.Submission{Name: k.name, PDF: k.pdf, Options: k.options}
	if rand.IntN(2) == 0 {
		s.IdempotencyKey = fmt.Sprintf("%x", rand.Uint64())
	}
	// What is begun is brought to its end: a request that the test itself breaks off proves nothing.
	whole := context.WithoutCancel(ctx)
	c.submitted.Add(1)
	j, err := c.client(a).Submit(whole, s)
	for err != nil && s.IdempotencyKey != "" && !c.final(err) && ctx.Err() == nil {
		pause(ctx, 300*time.Millisecond)
		j, err = c.client(a).Submit(whole, s)
	}
	switch {
	case err == nil:
	case errors.As(err, new(*clustertest.Refusal)):
		if !c.final(err) && !clustertest.Refused(err, http.StatusServiceUnavailable) {
			c.t.Errorf("%s was refused: %v", k.name, err)
		}
		c.refused.Add(1)
		return
	default:
		c.unknown.Add(1)
		return
	}
	if j.Replayed {
		c.replayed.Add(1)
	}
	c.mu.Lock()
	if c.jobs[j.ID] != nil {
		c.t.Errorf("job %s was accepted twice", j.ID)
	}
	job := &accepted{account: a, kind: k}
	c.jobs[j.ID] = job
	c.mu.Unlock()
	if rand.IntN(8) == 0 {
		c.delete(ctx, j.ID, job)
	}
}

// final reports whether a refusal means no, and not later.
func (c *chaos) final(err error) bool {
	return clustertest.Refused(err, http.StatusTooManyRequests) || clustertest.Refused(err, http.StatusPaymentRequired)
}

func (c *chaos) delete(ctx context.Context, id string, j *accepted) {
	pause(ctx, time.Duration(rand.IntN(300))*time.Millisecond)
	err := c.client(j.account).Delete(context.WithoutCancel(ctx), id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if j.deleted = gone; err != nil {
		j.deleted = unclear
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// report tells every few seconds how far things are.
func (c *chaos) report(ctx context.Context) {
	for pause(ctx, 10*time.Second); ctx.Err() == nil; pause(ctx, 10*time.Second) {
		c.say("  %s", c.counts(ctx))
	}
}

func (c *chaos) counts(ctx context.Context) string {
	c.mu.Lock()
	known := len(c.jobs)
	c.mu.Unlock()
	s := fmt.Sprintf("submitted %d, accepted %d, refused %d, unanswered %d, repeated %d", c.submitted.Load(), known, c.refused.Load(), c.unknown.Load(), c.replayed.Load())
	var active, done, failed int
	asking, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := c.Pool().QueryRow(asking, `SELECT count(*) FILTER (WHERE status IN ('pending', 'processing')), count(*) FILTER (WHERE status = 'done'),
		count(*) FILTER (WHERE status = 'failed') FROM jobs`).Scan(&active, &done, &failed)
	if err != nil {
		return s + " (database away)"
	}
	return s + fmt.Sprintf("; active %d, done %d, failed %d", active, done, failed)
}

// troubles are all that happens to an installation, in turn.
func (c *chaos) troubles() []func() {
	node := func() *clustertest.Node { return c.Nodes[rand.IntN(len(c.Nodes))] }
	return []func(){
		func() { c.killNodes(node()) },
		func() { c.killNodes(c.Nodes[0], c.Nodes[1]) },
		func() {
			c.say("Postgres: kill -9")
			c.Postgres.Kill()
			c.Postgres.Start()
		},
		func() { c.poison(0) },
		func() {
			c.say("bucket: kill -9, away for %v", bucketOutage)
			c.Bucket.Kill()
			time.Sleep(bucketOutage)
			c.Bucket.Start()
		},
		func() { c.silence(node(), (*clustertest.Node).Freeze, (*clustertest.Node).Thaw, "frozen") },
		func() {
			c.say("Postgres: restart, away for 5s")
			c.Postgres.Stop()
			time.Sleep(5 * time.Second)
			c.Postgres.Start()
		},
		func() {
			n := node()
			c.silence(n, func(n *clustertest.Node) { n.Link.Cut() }, func(n *clustertest.Node) { n.Link.Heal() }, "cut off from Postgres")
		},
		func() {
			n := node()
			c.say("%s: restarted in good order", n.Name)
			if err := n.Restart(); err != nil {
				c.t.Error(err)
			}
		},
		func() {
			c.say("Postgres: immediate stop")
			c.Postgres.StopImmediately()
			c.Postgres.Start()
		},
		func() {
			c.say("bucket: frozen for %v", bucketOutage)
			c.Bucket.Freeze()
			time.Sleep(bucketOutage)
			c.Bucket.Thaw()
		},
	}
}

// troubleFor makes one trouble after the other, all of them at least once.
func (c *chaos) troubleFor(d time.Duration) {
	deadline := time.Now().Add(d)
	for round := 0; round == 0 || time.Now().Before(deadline); round++ {
		for _, trouble := range c.troubles() {
			if round > 0 && time.Now().After(deadline) {
				return
			}
			pause(c.t.Context(), time.Duration(1000+rand.IntN(3000))*time.Millisecond)
			trouble()
		}
	}
}

// shortTrouble is what there is time for beside other tests.
func (c *chaos) shortTrouble() {
	c.awaitWork()
	c.Bucket.Kill()
	c.Postgres.Kill()
	c.Postgres.Start()
	c.Bucket.Start()
	c.poison(3)
	c.awaitWork()
}

// awaitWork waits until some more jobs have ended.
func (c *chaos) awaitWork() {
	c.t.Helper()
	ended := func() (n int) {
		if err := c.Pool().QueryRow(c.t.Context(), `SELECT count(*) FROM jobs WHERE status IN ('done', 'failed')`).Scan(&n); err != nil {
			return 0
		}
		return n
	}
	before := ended()
	c.await("some jobs end", func() bool { return ended() >= before+5 })
}

// killNodes kills nodes at once, waits until their jobs have started elsewhere, and starts them again.
func (c *chaos) killNodes(nodes ...*clustertest.Node) {
	began := time.Now()
	for _, n := range nodes {
		c.say("%s: kill -9", n.Name)
		n.Kill()
	}
	c.awaitTakeOver(began)
	for _, n := range nodes {
		c.restart(n)
	}
}

func (c *chaos) restart(n *clustertest.Node) {
	left, err := filepath.Glob(filepath.Join(n.Dir(), "tmp", "ragify-job-*"))
	if err != nil {
		c.t.Error(err)
	}
	for _, dir := range left { // the service does so itself, once they are old
		_ = os.RemoveAll(dir)
	}
	if err := n.Start(); err != nil {
		c.t.Error(err)
	}
}

// silence makes a node silent for longer than its work is left to it.
func (c *chaos) silence(n *clustertest.Node, begin, end func(*clustertest.Node), how string) {
	c.say("%s: %s", n.Name, how)
	began := time.Now()
	begin(n)
	c.awaitTakeOver(began)
	if rest := restartLimit - time.Since(began); rest > 0 {
		time.Sleep(rest)
	}
	end(n)
	c.say("%s: back", n.Name)
}

// awaitTakeOver waits until all that was at work at the given time has ended or been begun anew, and notes how long
// that took for the work of workers that are dead.
func (c *chaos) awaitTakeOver(since time.Time) {
	c.t.Helper()
	// What a living worker is at needs no taking over: only the dead hold no lock.
	const waiting = `
		SELECT count(*) FROM river_job r WHERE kind = 'convert' AND finalized_at IS NULL AND attempted_at <= $1 AND (
			(state <> 'running' AND errors[array_upper(errors, 1)] ->> 'error' = 'the worker died') OR
			(state = 'running' AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
				AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(attempted_by[array_upper(attempted_by, 1)], x'726167696679'::bigint))))`
	seen, last := false, since
	for quiet := since.Add(time.Second); ; time.Sleep(50 * time.Millisecond) {
		var n int
		if err := c.Pool().QueryRow(c.t.Context(), waiting, since).Scan(&n); err != nil {
			c.t.Error(err)
			return
		}
		if n > 0 {
			seen, last = true, time.Now()
			quiet = last.Add(time.Second)
		}
		if now := time.Now(); now.After(quiet) && (seen || now.Sub(since) > restartLimit) {
			break
		}
		if time.Since(since) > clustertest.Patience {
			c.t.Errorf("%d jobs of dead workers do not start again", n)
			return
		}
	}
	if took := last.Sub(since); seen {
		c.slowest = max(c.slowest, took)
		c.say("  its jobs started again within %.1f s", took.Seconds())
	}
}

// poison kills whichever node works on a certain document until its job is given up. had is how many attempts
// it is taken to have had before.
func (c *chaos) poison(had int) {
	c.t.Helper()
	k := kind{name: "poison.pdf", pdf: append(pdftest.Slow(), "% poison"...), fails: "conversion_crashed"}
	a := c.Account(fmt.Sprintf("poison-%d@example.com", rand.Uint64()), plan.Pro)
	j, err := c.client(a).Submit(c.t.Context(), clustertest.Submission{Name: k.name, PDF: k.pdf})
	for err != nil && c.t.Context().Err() == nil {
		pause(c.t.Context(), 100*time.Millisecond) // of a keyless submission without an answer, a second is made
		j, err = c.client(a).Submit(c.t.Context(), clustertest.Submission{Name: k.name, PDF: k.pdf})
	}
	c.mu.Lock()
	c.jobs[j.ID] = &accepted{account: a, kind: k}
	c.mu.Unlock()
	killed := 0
	c.await("the poison document is given up", func() bool {
		var ended bool
		if err := c.Pool().QueryRow(c.t.Context(), `SELECT status = 'failed' FROM jobs WHERE id = $1`, j.ID).Scan(&ended); err != nil || ended {
			return ended
		}
		for _, n := range c.Nodes {
			if !worksOn(n, len(k.pdf)) {
				continue
			}
			if killed == 0 && had > 0 {
				if _, err := c.Pool().Exec(c.t.Context(), `UPDATE river_job SET attempt = attempt + $2 WHERE id = (SELECT river_job_id FROM jobs WHERE id = $1)`, j.ID, had); err != nil {
					c.t.Error(err)
				}
			}
			c.say("%s: kill -9, it works on the poison document", n.Name)
			n.Kill()
			killed++
			c.restart(n)
		}
		return false
	})
	c.say("the poison document is given up after %d kills", killed)
}

// worksOn reports whether a node converts an upload of just that size.
func worksOn(n *clustertest.Node, size int) bool {
	sources, err := filepath.Glob(filepath.Join(n.Dir(), "tmp", "ragify-job-*", "source.pdf"))
	for _, path := range sources {
		if info, statErr := os.Stat(path); err == nil && statErr == nil && info.Size() == int64(size) {
			return true
		}
	}
	return false
}

func (c *chaos) await(what string, ok func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * clustertest.Patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("never happened: %s", what)
		}
	}
}

// settle waits until all work is done, and restarts the nodes.
func (c *chaos) settle() {
	c.say("no more troubles: waiting for all jobs to end")
	c.await("all jobs end", func() bool {
		var busy bool
		err := c.Pool().QueryRow(c.t.Context(), `SELECT EXISTS (SELECT FROM jobs WHERE status IN ('pending', 'processing'))
			OR EXISTS (SELECT FROM river_job WHERE kind = 'convert' AND finalized_at IS NULL)`).Scan(&busy)
		return err == nil && !busy
	})
	// A worker may be removing files yet: only its end says that it is through.
	var restarting sync.WaitGroup
	for _, n := range c.Nodes {
		restarting.Go(func() {
			if err := n.Restart(); err != nil {
				c.t.Error(err)
			}
		})
	}
	restarting.Wait()
}

// results are the digests of what each kind of document gave, by format.
type results map[string][sha256.Size]byte

// check compares a result with that of the same document before.
func (r results) check(t *testing.T, k kind, format string, content []byte) {
	t.Helper()
	key := k.name + " " + format
	sum := sha256.Sum256(content)
	if before, ok := r[key]; ok && before != sum && !strings.Contains(format, "pdf") {
		t.Errorf("two results of %s differ", key)
	}
	r[key] = sum
}
