package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/plan"
)

// sample is the PDF that the demo converts when none is given: our own, see demo/report.html.
//
//go:embed demo/report.pdf
var sample []byte

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo [FILE]",
		Short: "See the whole service at work: upload a PDF, get its Markdown",
		Long: `Start the whole service with an embedded Postgres in a temporary folder, make an account and an API
key, upload a PDF (FILE, or one that ragify brings along), follow the job, and print the Markdown. Then
everything is stopped and removed.`,
		Example: `  ragify demo
  ragify demo report.pdf`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			file := ""
			if len(args) > 0 {
				file = args[0]
			}
			return a.demo(cmd.Context(), file)
		},
	}
}

func (a *app) demo(ctx context.Context, file string) (err error) {
	d := &demo{w: a.stdout, styled: isTerminal(a.stdout) && a.env["NO_COLOR"] == ""}
	name, pdf := "report.pdf", sample
	if file != "" {
		if pdf, err = os.ReadFile(file); err != nil {
			return err
		}
		name = filepath.Base(file)
	}
	dir, err := os.MkdirTemp("", "ragify-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	d.step("Starting the service: API, workers and an embedded Postgres in %s", dir)
	began := time.Now()
	s, err := a.startDemo(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	d.note("ready at %s after %.1f s", s.apiURL, time.Since(began).Seconds())

	d.step("Making an account on the pro plan, and an API key")
	acct, secret, err := demoAccount(ctx, s)
	if err != nil {
		return err
	}
	d.note("%s  %s  %s…", acct.ID, acct.Email, secret.Prefix())

	d.step("Uploading %s (%d kB). From a shell it would be:", name, (len(pdf)+999)/1000)
	d.command("curl %s/jobs \\\n       -H 'X-Api-Key: %s' \\\n       -F 'file=@%s'", s.apiURL, secret.Reveal(), name)
	c := client{base: s.apiURL, key: secret.Reveal()}
	j, err := c.upload(ctx, name, pdf)
	if err != nil {
		return advise(err, file)
	}
	d.note("job %s: %s, %d pages", j.ID, j.Status, j.PageCount)

	d.step("Following the job: GET /jobs/{id}/events")
	if j, err = c.follow(ctx, j.ID, d.progress); err != nil {
		return err
	}
	for _, w := range j.Warnings {
		d.note("note: %s", w.Message)
	}
	if j.Status != "done" {
		return fmt.Errorf("the job failed: %s", j.ErrorMessage)
	}
	return d.show(ctx, c, j)
}

// advise adds to the API's refusal of file what to do next.
func advise(err error, file string) error {
	r, ok := errors.AsType[refusal](err)
	switch {
	case !ok:
		return err
	case r.Code == "password_required":
		return fmt.Errorf("%w Here: ragify parse --options '{\"password\":\"…\"}' %s", err, file)
	default:
		return fmt.Errorf("%w Choose another PDF, or run \"ragify demo\" for the one that it brings along", err)
	}
}

// show prints the result and what it cost.
func (d *demo) show(ctx context.Context, c client, j demoJob) error {
	d.step("The Markdown, from download_urls.markdown")
	markdown, err := c.get(ctx, j.DownloadURLs["markdown"])
	if err != nil {
		return err
	}
	d.rule()
	fmt.Fprintf(d.w, "%s\n", strings.TrimRight(string(markdown), "\n"))
	d.rule()

	d.step("The account afterwards: GET /auth/me")
	raw, err := c.get(ctx, c.base+"/auth/me")
	if err != nil {
		return err
	}
	var me struct {
		PagesUsed  int  `json:"pages_used"`
		PagesLimit *int `json:"pages_limit"`
	}
	if err := json.Unmarshal(raw, &me); err != nil {
		return err
	}
	fmt.Fprintf(d.w, "  %s\n", strings.TrimSpace(string(raw)))
	limit := "any number of"
	if me.PagesLimit != nil {
		limit = fmt.Sprint(*me.PagesLimit)
	}
	d.note("usage: %d of %s pages this month", me.PagesUsed, limit)

	d.step("Done. Stopping the service and removing its data.")
	d.note("Next: \"ragify parse your.pdf\", or \"ragify serve\" for a service that stays.")
	return nil
}

// startDemo starts a service that disturbs nothing on this machine: free ports of the loopback
// interface, data in dir. The configuration of the environment is left aside, but for the programs to use.
func (a *app) startDemo(ctx context.Context, dir string) (*service, error) {
	cache, err := a.userCacheDir()
	if err != nil {
		return nil, err
	}
	c, err := loadConfig(map[string]string{
		"DATA_DIR": dir, "LISTEN_ADDR": "127.0.0.1:0", "ADMIN_ADDR": "127.0.0.1:0", "ENGINE_CACHE_DIR": cache, "SHUTDOWN_DELAY": "0s",
	})
	if err != nil {
		return nil, err
	}
	quiet := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	return startService(ctx, c, quiet, true)
}

func demoAccount(ctx context.Context, s *service) (account.Account, account.Secret, error) {
	acct, err := s.store.CreateAccount(ctx, "demo@example.com", plan.Pro)
	if err != nil {
		return acct, account.Secret{}, err
	}
	secret := account.NewSecret()
	_, err = s.store.CreateKey(ctx, acct.ID, "demo", secret, s.config.plans[acct.Tier].MaxAPIKeys)
	return acct, secret, err
}

// demo is the teller of the story, in colour on a terminal.
type demo struct {
	w       io.Writer
	styled  bool
	steps   int
	written string // the last progress
}

// The terminal's styles.
const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	cyan  = "\x1b[36m"
	green = "\x1b[32m"
	reset = "\x1b[0m"

	lineAbove = "\x1b[1A\x1b[2K" // go there and clear it
)

func (d *demo) style(code, text string) string {
	if !d.styled {
		return text
	}
	return code + text + reset
}

func (d *demo) step(format string, args ...any) {
	d.steps++
	fmt.Fprintf(d.w, "\n%s %s\n", d.style(bold+green, fmt.Sprintf("%d.", d.steps)), d.style(bold, fmt.Sprintf(format, args...)))
}

func (d *demo) note(format string, args ...any) {
	fmt.Fprintf(d.w, "   %s\n", d.style(dim, fmt.Sprintf(format, args...)))
}

func (d *demo) command(format string, args ...any) {
	fmt.Fprintf(d.w, "   $ %s\n", d.style(cyan, fmt.Sprintf(format, args...)))
}

func (d *demo) rule() { fmt.Fprintln(d.w, d.style(dim, strings.Repeat("─", 78))) }

// progress draws how far a job is: a line for each change, or on a terminal one line that changes.
func (d *demo) progress(j demoJob) {
	const width = 30 // characters of the bar
	total := max(j.Progress.Total, 1)
	filled := width * j.Progress.Done / total
	line := fmt.Sprintf("%-10s %s%s %d of %d pages", j.Status, strings.Repeat("█", filled), strings.Repeat("░", width-filled), j.Progress.Done, j.Progress.Total)
	switch {
	case line == d.written:
	case d.styled:
		if d.written != "" {
			fmt.Fprint(d.w, lineAbove)
		}
		d.note("%s", line)
	default:
		d.note("%s", line)
	}
	d.written = line
}
