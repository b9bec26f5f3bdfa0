package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the HTTP service",
		Long: `Run the HTTP service: the API and, unless WORKERS=0, the workers that convert.

Without any configuration it keeps everything under ./data, with an embedded Postgres. It ends in good
order on SIGTERM or Ctrl-C: readiness turns 503, running conversions finish or go back to the queue. A
second signal ends it at once; nothing is lost by that either.

` + variablesHelp,
		Example: `  ragify serve
  DATA_DIR=/var/lib/ragify PUBLIC_URL=https://pdf.example.com LOG_FORMAT=json ragify serve
  DATABASE_URL=postgres://ragify@db/ragify BLOB_URL='s3://documents?region=eu-west-1' ragify serve`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a.env)
			if err != nil {
				return err
			}
			return a.runService(cmd.Context(), c, true)
		},
	}
}

func (a *app) workCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "work",
		Short: "Run workers only, to convert more at once",
		Long: `Run workers that convert what "ragify serve" accepts, without an API of their own. They need the same
database and the same files: DATABASE_URL and BLOB_URL, or the DATA_DIR of a serve on this machine.
WORKERS is the number of conversions at once. See "ragify serve --help" for the other variables.`,
		Example: `  DATABASE_URL=postgres://ragify@db/ragify BLOB_URL='s3://documents?region=eu-west-1' ragify work`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a.env)
			if err != nil {
				return err
			}
			if c.Workers == 0 {
				return errors.New("WORKERS: must be at least 1 for ragify work")
			}
			return a.runService(cmd.Context(), c, false)
		},
	}
}

// runService runs the service until ctx ends or it cannot go on.
func (a *app) runService(ctx context.Context, c config, api bool) error {
	log := a.logger(c)
	s, err := startService(ctx, c, log, api)
	if err != nil {
		if ctx.Err() != nil { // told to end while starting
			return nil
		}
		return err
	}
	log.Info("ready", "version", version(), "api", s.apiURL, "admin", s.adminURL, "workers", c.Workers, "data", c.DataDir)
	if api && c.LogFormat == "text" {
		a.greet(ctx, s)
	}
	var failure error
	select {
	case <-ctx.Done():
		log.Info("stopping: running conversions finish first")
	case failure = <-s.failed:
	}
	err = errors.Join(failure, s.stop())
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// greet tells a person where everything is, and what to do first.
func (a *app) greet(ctx context.Context, s *service) {
	fmt.Fprintf(a.stdout, "\n  Ragify is ready.\n\n    API      %s\n    Docs     %s/docs\n    Metrics  %s/metrics\n    Data     %s\n",
		s.apiURL, s.apiURL, s.adminURL, s.config.DataDir)
	if accounts, err := s.store.Accounts(ctx); err == nil && len(accounts) == 0 {
		variables := ""
		for _, name := range []string{"DATA_DIR", "DATABASE_URL"} {
			if a.env[name] != "" {
				variables += name + "=… "
			}
		}
		fmt.Fprintf(a.stdout, "\n  There is no account yet. Make one, with an API key, in another terminal:\n\n    %sragify user create --email you@example.com --tier pro --key first\n", variables)
	}
	fmt.Fprintln(a.stdout)
}
