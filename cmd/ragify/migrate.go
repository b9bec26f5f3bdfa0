package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/postgres"
)

func (a *app) migrateCommand() *cobra.Command {
	return group("migrate", "Bring the database's schema up or down",
		`Bring the database's schema up or down. "ragify serve" and "ragify work" bring it up by themselves
when they start; any number of them may start at once, beside others of the version before. A
migration never holds up the service for more than half a second: where a long transaction is in its
way, a dump for example, it waits for its end.`,
		a.migration("up", "Apply every migration that is missing", postgres.Migrate),
		a.migration("down", "Take the newest migration back, with the data that it holds", postgres.MigrateDown),
		a.migration("version", "Print the number of the newest applied migration", func(context.Context, *pgxpool.Pool, *slog.Logger) error { return nil }),
	)
}

// migration makes a sub-command that does its work and prints the version that results.
func (a *app) migration(use, short string, do func(context.Context, *pgxpool.Pool, *slog.Logger) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			c, err := loadConfig(a.env)
			if err != nil {
				return err
			}
			log := a.logger(c)
			db, err := openDatabase(cmd.Context(), c, beside, true, log, nil)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, db.close()) }()
			if err := do(cmd.Context(), db.pool, log); err != nil {
				return err
			}
			schema, err := postgres.SchemaOf(cmd.Context(), db.pool)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, schema.Version)
			return nil
		},
	}
}
