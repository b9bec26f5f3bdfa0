//go:build unix

// Package clustertest runs a whole installation for tests and benchmarks: a Postgres, an S3 server and any
// number of ragify nodes, each a process of its own on loopback, and lets tests stop, kill, freeze, cut
// off and restart every one of them.
//
// Everything is gone when the test ends, however it ends: the kernel ends the processes with the test's.
package clustertest

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/queue"
)

// Patience is how long the cluster waits for what must happen, before the test fails.
const Patience = 2 * time.Minute

// signingKey is every node's URL_SIGNING_KEY.
const signingKey = "clustertest-clustertest-clustertest"

// Options say what to run.
type Options struct {
	// Nodes is how many nodes Start starts, each "ragify serve"; Cluster.Add makes more.
	Nodes int
	// Program is the argument vector of ragify, to which "serve" is added; nil: Build. A test binary
	// that is the program itself names itself here, and sets in Env what makes it so.
	Program []string
	// Env are variables for all nodes, "NAME=value". They win over the cluster's own.
	Env []string
	// EngineCache is a directory with the engine compiled by the same program; "": a directory of all
	// tests, where the first node compiles it.
	EngineCache string
	// Files keeps objects in a shared directory even where there is an S3 server to run.
	Files bool
	// Volatile lets Postgres trade durability for speed. What it has acknowledged may be lost when it is
	// killed: only for tests that do not kill it.
	Volatile bool
}

// Cluster is a running installation. Make one with Start.
type Cluster struct {
	Postgres *Postgres
	Bucket   *Bucket
	Nodes    []*Node

	t     testing.TB
	o     Options
	dir   string
	pool  *pgxpool.Pool
	blobs *blob.Store
	store *postgres.Store
}

// Start starts an installation and waits until all of it is ready. It stops when t ends, and its nodes'
// logs are shown if t has failed.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c := &Cluster{t: t, o: o, dir: tempDir(t)}
	if c.o.Program == nil {
		c.o.Program = []string{Build(t)}
	}
	if c.o.EngineCache == "" {
		dir, err := pdftest.CacheDir()
		if err != nil {
			t.Fatal(err)
		}
		c.o.EngineCache = dir
	}
	c.Postgres = startPostgres(t, filepath.Join(c.dir, "postgres"), o.Volatile)
	c.Bucket = startBucket(t, filepath.Join(c.dir, "bucket"), o.Files)
	c.connect()
	var starting sync.WaitGroup
	for range o.Nodes {
		n := c.Add("serve")
		starting.Go(func() {
			if err := n.Start(); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return c
}

// tempDir is like t.TempDir, but its removal waits for processes that are just ending.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ragify-cluster-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // Postgres may run as another user
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, "removing "+dir, func() bool { return os.RemoveAll(dir) == nil })
	})
	return dir
}

// connect gives the test its own, direct ways to the database and the objects.
func (c *Cluster) connect() {
	c.t.Helper()
	ctx := c.t.Context()
	var err error
	if c.pool, err = postgres.Open(ctx, c.Postgres.URL(), postgres.PoolOptions{}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.pool.Close)
	c.Postgres.started = c.pool.Reset
	if err := postgres.Migrate(ctx, c.pool, slog.New(slog.DiscardHandler)); err != nil {
		c.t.Fatal(err)
	}
	if c.blobs, err = c.Bucket.open(ctx); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.blobs.Close() })
	inserter, err := queue.NewInserter(c.pool, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.store = postgres.New(postgres.Config{Pool: c.pool, Enqueue: inserter.Enqueue, Cancel: inserter.Cancel, Ended: inserter.Ended})
}

// Pool is a direct connection pool to the cluster's database, as a superuser. It ends with the test.
func (c *Cluster) Pool() *pgxpool.Pool { return c.pool }

// Store is the service's memory, for looking things up beside the nodes.
func (c *Cluster) Store() *postgres.Store { return c.store }

// Blobs are the cluster's objects. Away while Bucket is.
func (c *Cluster) Blobs() *blob.Store { return c.blobs }

// Account is an account of the cluster with an API key.
type Account struct {
	ID   account.ID
	Tier plan.Tier
	Key  string
}

// Account makes an account with an API key.
func (c *Cluster) Account(email string, tier plan.Tier) Account {
	c.t.Helper()
	a, err := c.store.CreateAccount(c.t.Context(), email, tier)
	if err != nil {
		c.t.Fatal(err)
	}
	secret := account.NewSecret()
	if _, err := c.store.CreateKey(c.t.Context(), a.ID, "test", secret, nil); err != nil {
		c.t.Fatal(err)
	}
	return Account{ID: a.ID, Tier: tier, Key: secret.Reveal()}
}

// Accounts makes n accounts of a plan.
func (c *Cluster) Accounts(n int, tier plan.Tier) []Account {
	c.t.Helper()
	all := make([]Account, n)
	for i := range all {
		all[i] = c.Account(fmt.Sprintf("%s-%d@example.com", tier, i), tier)
	}
	return all
}

// eventually waits for what another process does and announces nowhere.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			t.Errorf("never happened: %s", what)
			return
		}
	}
}

// pollInterval paces waits for what another process announces nowhere.
const pollInterval = 20 * time.Millisecond
