package queue

import (
	"context"
	"log/slog"
)

// riverLogger is logger for River: what it has to tell at the level Info (starts, counts every few
// seconds, attempts that we log ourselves) interests only who asks for Debug.
func riverLogger(logger *slog.Logger) *slog.Logger { return slog.New(quieter{logger.Handler()}) }

// quieter makes Info records Debug records.
type quieter struct{ slog.Handler }

func lowered(level slog.Level) slog.Level {
	if level == slog.LevelInfo {
		return slog.LevelDebug
	}
	return level
}

// Enabled asks for the lowered level.
func (q quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return q.Handler.Enabled(ctx, lowered(level))
}

// Handle passes the record on at the lowered level.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = lowered(r.Level)
	return q.Handler.Handle(ctx, r)
}

// WithAttrs keeps the wrapping.
func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

// WithGroup keeps the wrapping.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }
