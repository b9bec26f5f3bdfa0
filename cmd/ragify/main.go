// Command ragify turns PDFs into clean, citable text: as an HTTP service, or file by file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/fault"
)

func main() {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		// The first signal asks for an orderly end; from then on the default holds: a second one ends the process at once,
		// and Postgres and the engine's children go down with it. Restored first: once the end is seen to have begun, no
		// second one is swallowed.
		signal.Stop(signals)
		end()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// run is the whole program: args without the program's name, env as "NAME=value" lines. It gives the
// exit code, and returns when the command has ended or, in good order, after ctx has.
func run(ctx context.Context, args, env []string, stdin io.Reader, stdout, stderr io.Writer) int {
	a := &app{env: environment(env), stdin: stdin, stdout: stdout, stderr: stderr}
	cmd := a.root()
	cmd.SetArgs(args)
	cmd.SetIn(stdin)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	cmd, err := cmd.ExecuteContextC(ctx)
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case !a.began || errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "ragify: %v\nRun \"%s --help\" to see what there is.\n", err, cmd.CommandPath())
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "ragify: interrupted")
		return exitFailure
	default:
		fmt.Fprintf(stderr, "ragify: %s\n", sentence(err))
		return exitFailure
	}
}

// app is what every sub-command shares.
type app struct {
	env    map[string]string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	began  bool // the command line was understood and a command has begun
}

// exitCode ends the program with that code and without a further word.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit status %d", int(c)) }

// errUsage marks a command line that cannot be carried out as given.
var errUsage = errors.New("usage")

func usagef(format string, args ...any) error {
	return usageError{fmt.Sprintf(format, args...)}
}

type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

// Is makes every usageError an errUsage.
func (e usageError) Is(target error) bool { return target == errUsage }

// sentence is what an operator reads of an error, on one line: of a fault its own words, without the
// operations that it passed through; but the cause where those words are meant for a client who cannot
// do anything about it.
func sentence(err error) string {
	text := err.Error()
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		text = f.Message
		if cause := f.Unwrap(); cause != nil && (f.Kind == fault.Internal || f.Kind == fault.Unavailable) {
			text = cause.Error()
		}
	}
	return strings.Join(strings.Fields(text), " ")
}

func environment(lines []string) map[string]string {
	env := make(map[string]string, len(lines))
	for _, line := range lines {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return env
}

func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "ragify",
		Short:   "Turn PDFs into clean, citable text",
		Version: version(),
		Long: `Ragify turns PDFs into clean, citable text: Markdown, plain text, or JSON with the place of every
heading, paragraph, list and table on the page.

Start here:
  ragify demo                     see it work, from upload to Markdown, in one command
  ragify parse report.pdf         convert a file right here, without a server
  ragify serve                    run the HTTP service

The service is configured by environment variables: "ragify serve --help" lists them all.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	cmd.AddCommand(a.serveCommand(), a.workCommand(), a.migrateCommand(), a.userCommand(), a.keyCommand(), a.subscriptionCommand(),
		a.parseCommand(), a.demoCommand(), a.healthCommand(), a.doctorCommand(), a.engineCommand(), a.versionCommand())
	a.noteBegin(cmd)
	return cmd
}

// noteBegin makes cmd and all commands below it note that they have begun: cobra's own hooks run before
// it has checked the flags.
func (a *app) noteBegin(cmd *cobra.Command) {
	if do := cmd.RunE; do != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			a.began = true
			return do(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		a.noteBegin(sub)
	}
}

// group makes a command that only holds others: called alone it shows its help, and a misspelt
// sub-command is a usage error.
func group(use, short, long string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(subs...)
	return cmd
}
