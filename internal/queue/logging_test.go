package queue

import (
	"log/slog"
	"strings"
	"testing"
)

func TestRiverLogger(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  "level=WARN msg=warned with=1\n",
		slog.LevelDebug: "level=DEBUG msg=counts with=1\nlevel=WARN msg=warned with=1\n",
	} {
		var out strings.Builder
		logger := riverLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			Level: level,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))).With("with", 1)
		logger.Info("counts")
		logger.Warn("warned")
		if out.String() != want {
			t.Errorf("at %s:\n got %q\nwant %q", level, out.String(), want)
		}
	}
}
