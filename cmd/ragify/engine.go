package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/engine"
)

// engineMemory is what one conversion may take, in bytes, before its file counts as too complex.
const engineMemory = 1 << 30

// engineChild is the command line of an engine child: this very program.
func engineChild() ([]string, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return []string{exe, "engine"}, nil
}

// userCacheDir is where commands without a data directory keep the compiled engine: below the user's
// cache directory, or in the temporary one for users without a home. The engine refuses a directory that
// others can write to.
func (a *app) userCacheDir() (string, error) {
	if dir := a.env["ENGINE_CACHE_DIR"]; dir != "" {
		return dir, os.MkdirAll(dir, 0o700)
	}
	if base, err := os.UserCacheDir(); err == nil {
		dir := filepath.Join(base, "ragify")
		if os.MkdirAll(dir, 0o700) == nil {
			return dir, nil
		}
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("ragify-cache-%d", os.Getuid()))
	return dir, os.MkdirAll(dir, 0o700)
}

func quietLogger() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (a *app) engineCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "engine",
		Short:  "Run as a child of the engine: requests on standard input, results on standard output",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return serveEngine(cmd.Context(), a.stdin, a.stdout)
		},
	}
}

func serveEngine(ctx context.Context, in io.Reader, out io.Writer) error {
	return engine.Serve(ctx, in, out, engine.ServeConfig{Exit: os.Exit})
}
