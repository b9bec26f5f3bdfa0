// Package pgtest gives tests databases of their own on a real Postgres.
//
// One server runs per test process. The schema is migrated once, into a template; each test gets a
// copy of it, in about 50 ms. A test binary that uses this package starts its tests through Run:
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }
package pgtest

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/pgserver"
	"github.com/ragify/ragify/internal/postgres"
)

const template = "ragify_template"

// server is the test process's Postgres. State of the process by nature: hence the only global.
var server struct {
	running bool // between the start and the end of Run
	mu      sync.Mutex
	started *pgserver.Server
	err     error // of the first start, for all later tests
	last    atomic.Int64
}

// Run runs the tests of m, then stops the server, if a test has started it, and removes its files. The
// result is for os.Exit.
func Run(m *testing.M) int {
	server.running = true
	defer func() {
		if server.started == nil {
			return
		}
		if err := server.started.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: stop Postgres:", err)
		}
	}()
	return m.Run()
}

// New makes a migrated, empty database and a pool on it. Both go when t ends.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	pool, err := postgres.Open(t.Context(), URL(t), postgres.PoolOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// URL makes a migrated, empty database and returns its connection URL. The database goes when t ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, template)
}

// Empty makes a database without our schema, for tests of migrations, and returns its connection URL.
// The database goes when t ends.
func Empty(t testing.TB) string {
	t.Helper()
	return create(t, "template0")
}

// create makes a copy of the database named from.
func create(t testing.TB, from string) string {
	t.Helper()
	if !server.running {
		t.Fatal("pgtest: start the tests through pgtest.Run in TestMain")
	}
	base, err := start()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	name := fmt.Sprintf("test_%d", server.last.Add(1))
	if err := execute(t.Context(), base, fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, from)); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		// t's own context has ended by now.
		if err := execute(context.Background(), base, fmt.Sprintf("DROP DATABASE %s WITH (FORCE)", name)); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return database(base, name)
}

// start starts the server and prepares the template at the first call. It returns the server's URL.
func start() (string, error) {
	server.mu.Lock()
	defer server.mu.Unlock()
	if server.started == nil && server.err == nil {
		server.started, server.err = pgserver.Start(context.Background(), pgserver.Options{Test: true})
		if server.err == nil {
			server.err = prepare(server.started.URL())
		}
	}
	if server.err != nil {
		return "", server.err
	}
	return server.started.URL(), nil
}

func prepare(base string) error {
	ctx := context.Background()
	if err := execute(ctx, base, "CREATE DATABASE "+template+" TEMPLATE template0"); err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, database(base, template), postgres.PoolOptions{})
	if err != nil {
		return err
	}
	defer pool.Close() // a template must have no connection
	return postgres.Migrate(ctx, pool, slog.New(slog.DiscardHandler))
}

// execute runs one statement on a connection of its own.
func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// database is base with another database name.
func database(base, name string) string {
	u, err := url.Parse(base)
	if err != nil {
		panic(err) // pgserver made it
	}
	u.Path = "/" + name
	return u.String()
}
