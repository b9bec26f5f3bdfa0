package httpapi_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/httpapi"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

// benchStreams is how many streams one node should hold without effort.
const benchStreams = 5000

// statements counts the statements of a pool and of the connections made like its own.
type statements struct{ n atomic.Int64 }

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	s.n.Add(1)
	return ctx
}

func (*statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// BenchmarkEvents holds 5,000 event streams of as many jobs of 50 accounts open, and measures what a stream costs in memory
// (its client's socket, in the same process, included), what waiting costs in statements, and how long an event takes from
// before the change is written until the client has read it.
func BenchmarkEvents(b *testing.B) {
	const accounts = 50
	// Longer than two rechecks of postgres.DefaultRecheck.
	const idle = 11 * time.Second

	count := new(statements)
	config, err := pgxpool.ParseConfig(pgtest.URL(b))
	if err != nil {
		b.Fatal(err)
	}
	config.ConnConfig.Tracer, config.MaxConns = count, 20
	pool, err := pgxpool.NewWithConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	quiet := slog.New(slog.DiscardHandler)
	store := postgres.New(postgres.Config{Pool: pool, Logger: quiet})
	authenticator, err := auth.New(auth.Config{Store: store, Plans: plan.Default(), Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	handler, err := httpapi.New(httpapi.Deps{Accounts: store, Jobs: store, Auth: authenticator, Plans: plan.Default(), Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	var streams []*benchStream
	for range accounts {
		streams = append(streams, benchJobs(b, pool, store, benchStreams/accounts)...)
	}
	before := memory()
	opening := time.Now()
	for _, s := range streams {
		s.open(b, server.Listener.Addr().String())
		defer s.conn.Close()
	}
	for _, s := range streams {
		s.read(b, "event: status\n")
	}
	opened, each := time.Since(opening), (memory()-before)/benchStreams
	begun := count.n.Load()
	time.Sleep(idle)
	waited := count.n.Load() - begun

	var delays []time.Duration
	for b.Loop() {
		s := streams[rand.N(len(streams))]
		changed := time.Now()
		if s.pages++; s.pages == 1 {
			_, err = store.StartJob(b.Context(), s.job)
		} else {
			err = store.SetProgress(b.Context(), s.job, s.pages)
		}
		if err != nil {
			b.Fatal(err)
		}
		s.read(b, "event: ")
		delays = append(delays, time.Since(changed))
	}
	b.ReportMetric(float64(opened.Milliseconds()), "ms-to-open-all")
	b.ReportMetric(float64(each), "B/stream")
	b.ReportMetric(float64(waited)/idle.Seconds(), "statements/s-idle")
	slices.Sort(delays)
	b.ReportMetric(float64(delays[len(delays)/2].Microseconds())/1e3, "ms-p50")
	b.ReportMetric(float64(delays[len(delays)*99/100].Microseconds())/1e3, "ms-p99")
}

// memory is what the process's heap and stacks take, in bytes.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// benchStream is a client of one job's events. It costs no goroutine and no buffer.
type benchStream struct {
	key   account.Secret
	job   uuid.UUID
	pages int
	conn  net.Conn
}

// benchJobs makes an account with n pending jobs.
func benchJobs(b *testing.B, pool *pgxpool.Pool, store *postgres.Store, n int) (streams []*benchStream) {
	b.Helper()
	a, err := store.CreateAccount(b.Context(), uuid.NewString()+"@example.com", plan.Business)
	if err != nil {
		b.Fatal(err)
	}
	key := account.NewSecret()
	if _, err := store.CreateKey(b.Context(), a.ID, "bench", key, nil); err != nil {
		b.Fatal(err)
	}
	for range n {
		id := uuid.New()
		if _, err := pool.Exec(b.Context(), `
			INSERT INTO jobs (id, account_id, status, options, file_name, file_size, page_count, pages_charged, period, river_job_id, created_at, updated_at, expires_at)
			VALUES ($1, $2, 'pending', '{}', 'a.pdf', 1, 100000, 100000, date_trunc('month', now()), 0, now(), now(), now() + interval '1 day')`, id, a.ID); err != nil {
			b.Fatal(err)
		}
		streams = append(streams, &benchStream{key: key, job: id})
	}
	return streams
}

func (s *benchStream) open(b *testing.B, address string) {
	b.Helper()
	var err error
	if s.conn, err = new(net.Dialer).DialContext(b.Context(), "tcp", address); err != nil {
		b.Fatal(err)
	}
	request := fmt.Sprintf("GET /jobs/%s/events HTTP/1.1\r\nHost: bench\r\nX-Api-Key: %s\r\n\r\n", s.job, s.key.Reveal())
	if _, err := io.WriteString(s.conn, request); err != nil {
		b.Fatal(err)
	}
}

// read reads on to an event, and whatever has come with it.
func (s *benchStream) read(b *testing.B, want string) {
	b.Helper()
	if err := s.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 16<<10)
	for n := 0; ; {
		m, err := s.conn.Read(buf[n:])
		if err != nil {
			b.Fatalf("%v after %q", err, buf[:n])
		}
		n += m
		if _, event, found := strings.Cut(string(buf[:n]), want); found && strings.Contains(event, "\n\n") {
			return
		}
	}
}
