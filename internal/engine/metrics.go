package engine

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ragify/ragify/internal/tracing"
)

// metrics counts what becomes of children and pages.
type metrics struct {
	starts   prometheus.Histogram
	ends     *prometheus.CounterVec
	pageTime *prometheus.HistogramVec
}

// Why a child ended. A child that ends for good, at Close, is not counted.
const (
	endDeadline  = "deadline"  // we killed it: the time was over
	endCancelled = "cancelled" // we killed it: nobody wants the result any more
	endMemory    = "memory"    // it was refused memory, or somebody else killed it: most often the kernel, for want of memory; who cannot be told
	endOutside   = "outside"   // somebody told it to end
	endCrash     = "crash"     // anything else
)

func newMetrics(e *Engine, registry prometheus.Registerer) *metrics {
	f := promauto.With(registry)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_engine_slots", Help: "Sandboxed children that may work at the same time.",
	}, func() float64 { return float64(cap(e.slots)) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_engine_slots_busy", Help: "Requests that a sandboxed child works on, or is being started for.",
	}, func() float64 { return float64(len(e.slots)) })
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_engine_children", Help: "Sandboxed child processes that live, working or idle.",
	}, func() float64 {
		e.mu.Lock()
		defer e.mu.Unlock()
		return float64(len(e.live))
	})
	m := &metrics{
		starts: f.NewHistogram(prometheus.HistogramOpts{
			Name: "ragify_engine_start_duration_seconds", Help: "Time that sandboxed children took from their start to be ready, of those that got ready.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		ends: f.NewCounterVec(prometheus.CounterOpts{
			Name: "ragify_engine_child_ends_total",
			Help: "Sandboxed children that ended in the middle of a request, by reason: deadline and cancelled are kills of ours, memory, crash, or outside.",
		}, []string{"reason"}),
		pageTime: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ragify_engine_page_duration_seconds",
			Help:    "Time to read a page and lay it out, its recognition and the wait for that included where ocr is true.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"ocr"}),
	}
	for _, reason := range []string{endDeadline, endCancelled, endMemory, endOutside, endCrash} {
		m.ends.WithLabelValues(reason) // zero is worth knowing
	}
	m.pageTime.WithLabelValues("false")
	m.pageTime.WithLabelValues("true")
	return m
}

// endOf tells why c, which has ended or answered nonsense, did.
func endOf(ctx context.Context, c *child) string {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return endDeadline
	case ctx.Err() != nil:
		return endCancelled
	case strings.Contains(c.stderr.String(), "out of memory"), strings.Contains(c.stderr.String(), "cannot allocate memory"), strings.Contains(c.status(), "killed"):
		return endMemory
	}
	return endCrash
}

// mostPageSpans bounds the spans that one conversion adds to a trace: collectors refuse traces that are too large.
const mostPageSpans = 1000

// pageMeter takes in what a child tells about the pages of one conversion.
type pageMeter struct {
	ctx   context.Context // of the conversion
	m     *metrics
	began time.Time
	seen  int
}

// note observes pages. The child has seen hostile bytes: its times are brought into the conversion's.
func (p *pageMeter) note(pages []pageTime) {
	now := time.Now()
	for _, page := range pages {
		p.seen++
		if page.Number < 1 || page.Number > maxPages || p.seen > maxPages {
			continue
		}
		began := p.began.Add(min(max(page.Began, 0), now.Sub(p.began)))
		took := min(max(page.Took, 0), now.Sub(began))
		p.m.pageTime.WithLabelValues(map[bool]string{true: "true", false: "false"}[page.OCR]).Observe(took.Seconds())
		if p.seen <= mostPageSpans {
			tracing.Page(p.ctx, page.Number, page.OCR, began, took)
		}
	}
}
