// Package postgres keeps accounts, keys, jobs and pages in PostgreSQL. All of the service's SQL is here.
//
// Every method returns a fault of kind Unavailable ("database_unavailable") when the server cannot be
// reached or does not answer in time; other faults are named at the method.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/fault"
)

// PoolOptions tunes the connection pool. The zero value is good for one service process.
type PoolOptions struct {
	MaxConns int32                 // default 20: pgx's own (4 on two cores) starves the queue beside the API
	Registry prometheus.Registerer // gets the pool's metrics; nil: none
}

const (
	defaultMaxConns = 20
	connectTimeout  = 5 * time.Second
	// statementTimeout ends a statement that no rule of ours can need that long; River's slowest
	// maintenance asks for a minute.
	statementTimeout = time.Minute
	// idleInTxTimeout frees the rows of a process that hangs, or has lost its network, in the middle of a
	// transaction. The locked row of one account soon holds up the workers of all nodes. Between two
	// statements of ours lie microseconds.
	idleInTxTimeout = 5 * time.Second
	// unavailableRetry is the Retry-After of a 503.
	unavailableRetry = 5 * time.Second
)

// Open connects to the server at url (postgres://…) and checks that it answers. The caller closes the
// pool. An unreachable server is a fault Unavailable, a malformed url a plain error.
func Open(ctx context.Context, url string, o PoolOptions) (_ *pgxpool.Pool, err error) {
	defer op(&err, "postgres.Open")
	c, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err // ParseConfig hides the password
	}
	c.MaxConns = o.MaxConns
	if c.MaxConns <= 0 {
		c.MaxConns = defaultMaxConns
	}
	c.ConnConfig.ConnectTimeout = connectTimeout
	if o.Registry != nil {
		c.ConnConfig.Tracer = newStatements(o.Registry)
	}
	params := c.ConnConfig.RuntimeParams
	setDefault(params, "application_name", "ragify")
	setDefault(params, "statement_timeout", milliseconds(statementTimeout))
	setDefault(params, "idle_in_transaction_session_timeout", milliseconds(idleInTxTimeout))
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	if o.Registry != nil {
		registerPool(o.Registry, pool)
	}
	return pool, nil
}

func setDefault(m map[string]string, key, value string) {
	if _, ok := m[key]; !ok {
		m[key] = value
	}
}

// milliseconds is d as a Postgres setting.
func milliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }

// dedicated opens one connection outside the pool, for what must outlive a statement: listening and
// session locks. The caller closes it.
func dedicated(ctx context.Context, pool *pgxpool.Pool) (*pgx.Conn, error) {
	return pgx.ConnectConfig(ctx, pool.Config().ConnConfig.Copy())
}

// op finishes an exported operation: a failed connection becomes a fault, then the operation's name
// goes around the error for the logs.
func op(err *error, format string, args ...any) {
	if *err == nil {
		return
	}
	var f *fault.Fault
	if !errors.As(*err, &f) && unreachable(*err) {
		*err = fault.New(fault.Unavailable, "database_unavailable", "The service cannot reach its database right now. Try again in a few seconds.").
			After(unavailableRetry).Because(*err)
	}
	fault.Op(err, format, args...)
}

// unreachable tells a server that is away, starting, stopping, full or too slow from a statement that
// failed. A cancelled request is neither.
func unreachable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "53300", "57014", // shutdowns, starting up, too many connections, timed out
			"25P03", "57P05": // the server heard nothing of us for too long, in a transaction or between two
			return true
		}
		return strings.HasPrefix(pg.Code, "08") // connection exceptions
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}
