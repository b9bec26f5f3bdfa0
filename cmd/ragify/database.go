package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/pgserver"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/queue"
)

// tenure is how a command comes by the embedded Postgres.
type tenure int

const (
	own    tenure = iota // start it: serve
	beside               // use a running serve's, else start it for the command's short life: user, key, migrate
	attach               // only use a running serve's: work
)

const (
	// startTimeout bounds the way to a Postgres that answers.
	startTimeout = 2 * time.Minute
	// besidePoll is how often a short command looks whether a starting serve's Postgres is ready.
	besidePoll = 100 * time.Millisecond
)

// database is a migrated database and, when it is embedded and ours, its server.
type database struct {
	pool   *pgxpool.Pool
	server *pgserver.Server // nil when somebody else runs it
}

// openDatabase connects to the configured Postgres, or comes by the embedded one, and migrates unless
// bare is set. registry, which may be nil, gets the pool's metrics.
func openDatabase(ctx context.Context, c config, how tenure, bare bool, log *slog.Logger, registry prometheus.Registerer) (_ *database, err error) {
	db := new(database)
	defer func() {
		if err != nil {
			err = errors.Join(err, db.close())
		}
	}()
	if err := db.connect(ctx, c, how, log, registry); err != nil || bare {
		return db, err
	}
	// Without a time limit: an index on a large table takes as long as it takes.
	if err := postgres.Migrate(ctx, db.pool, log); err != nil {
		return nil, fmt.Errorf("migrating the database: %w", err)
	}
	return db, nil
}

// connect opens the pool, on the configured Postgres or the embedded one.
func (db *database) connect(ctx context.Context, c config, how tenure, log *slog.Logger, registry prometheus.Registerer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	url := c.DatabaseURL
	if url == "" {
		if url, err = db.embedded(ctx, c, how, log); err != nil {
			return err
		}
	}
	db.pool, err = postgres.Open(ctx, url, postgres.PoolOptions{Registry: registry})
	switch {
	case err == nil:
		return nil
	case c.DatabaseURL != "":
		return fmt.Errorf("DATABASE_URL: %s", sentence(err))
	default:
		return fmt.Errorf("connecting to the embedded Postgres: %w", err)
	}
}

// embedded gives the URL of the embedded Postgres, started or found as how tells.
func (db *database) embedded(ctx context.Context, c config, how tenure, log *slog.Logger) (url string, err error) {
	if how != attach {
		if err := c.prepareDataDir(); err != nil {
			return "", err
		}
	}
	for {
		if how != own {
			if url, ok := pgserver.Running(c.postgresDir()); ok {
				return url, nil
			}
		}
		if how == attach {
			return "", fmt.Errorf("no ragify serve runs on DATA_DIR %s: start one, or set DATABASE_URL", c.DataDir)
		}
		db.server, err = pgserver.Start(ctx, pgserver.Options{Dir: c.postgresDir(), Logger: log})
		switch {
		case err == nil:
			return db.server.URL(), nil
		case !errors.Is(err, pgserver.ErrInUse):
			return "", err
		case how == own:
			return "", fmt.Errorf("DATA_DIR %s: %w: one ragify serve can run on a data directory; for several nodes set DATABASE_URL", c.DataDir, err)
		}
		select { // its owner is starting, stopping, or a short command like ours
		case <-ctx.Done():
			return "", err
		case <-time.After(besidePoll):
		}
	}
}

// lost is closed when our embedded server has ended; nil, which blocks for ever, when we run none.
func (db *database) lost() <-chan struct{} {
	if db.server == nil {
		return nil
	}
	return db.server.Done()
}

func (db *database) close() error {
	if db.pool != nil {
		db.pool.Close()
	}
	if db.server != nil {
		return db.server.Stop()
	}
	return nil
}

// withStore runs fn on a migrated database, beside a running serve or alone.
func (a *app) withStore(ctx context.Context, fn func(config, *postgres.Store) error) (err error) {
	c, err := loadConfig(a.env)
	if err != nil {
		return err
	}
	log := a.logger(c)
	db, err := openDatabase(ctx, c, beside, false, log, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.close()) }()
	inserter, err := queue.NewInserter(db.pool, log)
	if err != nil {
		return err
	}
	return fn(c, postgres.New(postgres.Config{
		Pool: db.pool, Erase: inserter.Erase, DeleteFiles: inserter.DeleteFiles, Logger: log, Retention: c.Retention,
	}))
}
