//go:build unix

package clustertest_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/ragify/ragify/internal/clustertest"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
)

// loadJobs is set by "make bench-load".
var loadJobs = flag.Int("load", 0, "how many jobs TestLoad queues; 0: it is skipped, for it takes minutes and all processors")

const (
	loadNodes   = 3
	jobsOfEach  = 50 // jobs an account: 10,000 are of 200
	loadClients = 16 // that fill the queue at the same time
	pagesOfEach = 8  // of each PDF, as dense as a book's
	// warmUp is how long a number of workers has before it is measured: their engines start.
	warmUp = 5 * time.Second
	// loadWindow is how long each of the measurements under load takes.
	loadWindow = 20 * time.Second
	// steadyRate is how many submissions a second arrive while the workers are busy.
	steadyRate = 20
	// maxStatements and maxP99 are what the service promises of itself.
	maxStatements = 25
	maxP99        = 150 * time.Millisecond
)

// TestLoad fills the queue of three nodes, then lets more and more workers at it, and counts what that costs. It measures more
// than it checks: the two promises above.
func TestLoad(t *testing.T) {
	if *loadJobs == 0 {
		t.Skip("a measurement: make bench-load")
	}
	l := newLoad(t)
	l.workers(0)
	l.fill(*loadJobs)
	for n := 1; n <= runtime.NumCPU()+1; n++ {
		l.workers(n)
		l.convert(n)
	}
	l.workers(runtime.NumCPU())
	l.submitSteadily()
	l.report()
}

// load is a cluster under measurement.
type load struct {
	t        *testing.T
	c        *clustertest.Cluster
	accounts []clustertest.Account
	http     *http.Client
	pdf      []byte
	next     atomic.Int64 // the number of the next submission

	rows       [][2]string // of the summary
	statements float64     // a job, all nodes together
	baseline   float64     // jobs a second of one worker
}

func newLoad(t *testing.T) *load {
	t.Helper()
	plans := filepath.Join(t.TempDir(), "plans.json")
	if err := os.WriteFile(plans, []byte(`{"business": {"max_concurrent_jobs": null, "pages_per_month": null}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	// Connections are kept: what is measured is the service, not how its clients connect.
	transport := &http.Transport{MaxIdleConnsPerHost: 4 * loadClients}
	t.Cleanup(transport.CloseIdleConnections)
	l := &load{t: t, http: &http.Client{Transport: transport}, pdf: densePages(pagesOfEach)}
	l.c = clustertest.Start(t, clustertest.Options{Files: true, Env: []string{"PLANS_FILE=" + plans}})
	l.exec(`ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'`)
	l.c.Postgres.Restart()
	l.c.Pool().Reset()
	l.exec(`CREATE EXTENSION pg_stat_statements`)
	l.accounts = l.c.Accounts(max(*loadJobs/jobsOfEach, 1), plan.Business)
	for range loadNodes {
		l.c.Add("serve")
	}
	return l
}

// densePages is a PDF of n pages of running text, 3,600 characters each.
func densePages(n int) []byte {
	b := pdftest.New()
	for i := range n {
		p := b.Page(612, 792)
		p.Text(72, 740, 18, pdftest.Bold, fmt.Sprintf("Chapter %d", i+1))
		for line := range 45 {
			p.Text(72, 700-14*float64(line), 9, pdftest.Regular, fmt.Sprintf("%d.%02d %s", i+1, line, strings.Repeat("the words of a long line, ", 3)))
		}
	}
	return b.Bytes()
}

func (l *load) exec(sql string) {
	l.t.Helper()
	if _, err := l.c.Pool().Exec(l.t.Context(), sql); err != nil {
		l.t.Fatalf("%s: %v", sql, err)
	}
}

func (l *load) number(sql string) (n float64) {
	l.t.Helper()
	if err := l.c.Pool().QueryRow(l.t.Context(), sql).Scan(&n); err != nil {
		l.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

func (l *load) say(what, format string, args ...any) {
	row := [2]string{what, fmt.Sprintf(format, args...)}
	l.rows = append(l.rows, row)
	fmt.Printf("%s  %s: %s\n", time.Now().Format(time.TimeOnly), row[0], row[1])
}

// workers starts all nodes anew, with n workers between them.
func (l *load) workers(n int) {
	l.t.Helper()
	var starting sync.WaitGroup
	for i, node := range l.c.Nodes {
		share := n / loadNodes
		if i < n%loadNodes {
			share++
		}
		node.Env = []string{fmt.Sprintf("WORKERS=%d", share)}
		starting.Go(func() {
			if node.PID() != 0 {
				if err := node.Terminate(); err != nil {
					l.t.Error(err)
				}
			}
			if err := node.Start(); err != nil {
				l.t.Error(err)
			}
		})
	}
	starting.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
}

// submit submits one job to the next node for the next account.
func (l *load) submit(ctx context.Context) error {
	i := int(l.next.Add(1))
	client := l.c.Nodes[i%loadNodes].Client(l.accounts[i%len(l.accounts)])
	client.HTTP = l.http
	_, err := client.Submit(ctx, clustertest.Submission{Name: "load.pdf", PDF: l.pdf})
	return err
}

// fill queues n jobs as fast as the nodes take them.
func (l *load) fill(n int) {
	l.t.Helper()
	taken := l.meter()
	latencies := make([]time.Duration, n)
	var clients sync.WaitGroup
	var begun atomic.Int64
	for range loadClients {
		clients.Go(func() {
			for i := begun.Add(1) - 1; i < int64(n); i = begun.Add(1) - 1 {
				start := time.Now()
				if err := l.submit(l.t.Context()); err != nil {
					l.t.Errorf("submission %d: %v", i, err)
					return
				}
				latencies[i] = time.Since(start)
				if i%1000 == 999 {
					fmt.Printf("%s  %d queued\n", time.Now().Format(time.TimeOnly), i+1)
				}
			}
		})
	}
	clients.Wait()
	if l.t.Failed() {
		l.t.FailNow()
	}
	cost := taken(float64(n))
	l.statements += cost.statements
	l.say("filling the queue", "%.0f submissions/s of %d clients, no worker running; %s", float64(n)/cost.took.Seconds(), loadClients, spread(latencies))
	l.say("  a submission", "%.2f statements, %.1f kB of WAL", cost.statements, cost.wal/1e3)
}

// convert measures n workers.
func (l *load) convert(n int) {
	l.t.Helper()
	time.Sleep(warmUp)
	done := func() float64 { return l.number(`SELECT count(*) FROM jobs WHERE status = 'done'`) }
	before, taken := done(), l.meter()
	time.Sleep(loadWindow)
	jobs := done() - before
	if jobs == 0 {
		l.t.Fatalf("%d workers did nothing", n)
	}
	cost := taken(jobs)
	rate := jobs / cost.took.Seconds()
	if n == 1 {
		l.baseline = rate
	}
	l.say(fmt.Sprintf("%d workers", n), "%.1f jobs/s (%d pages each), %.2f times one worker's; %.0f still wait", rate, pagesOfEach, rate/l.baseline,
		l.number(`SELECT count(*) FROM jobs WHERE status = 'pending'`))
	l.say("  a conversion", "%.2f statements, %.1f kB of WAL", cost.statements, cost.wal/1e3)
	if n == runtime.NumCPU() {
		l.statements += cost.statements
		l.top()
	}
}

// submitSteadily measures submissions while all workers are busy. They arrive at steadyRate, whether or not the ones before are
// answered, as those of independent clients do.
func (l *load) submitSteadily() {
	l.t.Helper()
	time.Sleep(warmUp)
	latencies := make([]time.Duration, int(loadWindow.Seconds()*steadyRate))
	arrivals := time.NewTicker(time.Second / steadyRate)
	defer arrivals.Stop()
	var answered sync.WaitGroup
	for i := range latencies {
		start := <-arrivals.C
		answered.Go(func() {
			if err := l.submit(l.t.Context()); err != nil {
				l.t.Error(err)
			}
			latencies[i] = time.Since(start)
		})
	}
	answered.Wait()
	l.say(fmt.Sprintf("submitting beside %d workers", runtime.NumCPU()), "%d/s; %s", steadyRate, spread(latencies))
	if p99 := percentile(latencies, 99); p99 > maxP99 {
		l.t.Errorf("99 %% of the submissions took up to %v, more than %v", p99, maxP99)
	}
}

// report sums it up.
func (l *load) report() {
	l.t.Helper()
	l.say("a job in all", "%.2f statements", l.statements)
	if l.statements > maxStatements {
		l.t.Errorf("%.2f statements a job, more than %d", l.statements, maxStatements)
	}
	fmt.Printf("\n%d jobs of %d accounts, %d nodes, %d processors\n", *loadJobs, len(l.accounts), loadNodes, runtime.NumCPU())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, r := range l.rows {
		fmt.Fprintf(w, "%s\t%s\n", r[0], r[1])
	}
	if err := w.Flush(); err != nil {
		l.t.Error(err)
	}
}

// cost is what one job has cost, by a meter.
type cost struct {
	statements float64       // everything that all nodes sent
	wal        float64       // bytes
	took       time.Duration // all jobs together
}

// meter counts what the database does from now on. What it gives stops it, for a number of jobs.
func (l *load) meter() func(jobs float64) cost {
	l.t.Helper()
	l.exec(`SELECT pg_stat_statements_reset()`)
	start, lsn := time.Now(), l.number(`SELECT pg_current_wal_lsn() - '0/0'::pg_lsn`)
	return func(jobs float64) cost {
		took := time.Since(start)
		return cost{
			statements: l.number(`SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`) / jobs,
			wal:        (l.number(`SELECT pg_current_wal_lsn() - '0/0'::pg_lsn`) - lsn) / jobs,
			took:       took,
		}
	}
}

// top shows the statements that were sent most often, and those that took longest, since the meter began.
func (l *load) top() {
	l.t.Helper()
	rows, err := l.c.Pool().Query(l.t.Context(), `
		SELECT calls, total_exec_time, mean_exec_time, left(regexp_replace(regexp_replace(query, '/\*.*?\*/|--[^\n]*\n', ' ', 'g'), '\s+', ' ', 'g'), 90)
		FROM pg_stat_statements ORDER BY calls DESC LIMIT 25`)
	if err != nil {
		l.t.Fatal(err)
	}
	defer rows.Close()
	fmt.Println("    calls  total ms   mean ms  statement")
	for rows.Next() {
		var calls int64
		var total, mean float64
		var query string
		if err := rows.Scan(&calls, &total, &mean, &query); err != nil {
			l.t.Fatal(err)
		}
		fmt.Printf("%9d %9.0f %9.2f  %s\n", calls, total, mean, query)
	}
	if err := rows.Err(); err != nil {
		l.t.Fatal(err)
	}
}

func percentile(d []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[(len(sorted)-1)*p/100]
}

// spread tells how latencies are spread.
func spread(d []time.Duration) string {
	ms := func(p int) float64 { return float64(percentile(d, p).Microseconds()) / 1e3 }
	return fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms", ms(50), ms(95), ms(99), ms(100))
}
