// Package health finds out whether a process can do its work, part by part.
package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ragify/ragify/internal/fault"
)

const (
	// freshness is how long a verdict holds: however many probes ask, each part is looked at once a second.
	freshness = time.Second
	// timeout bounds the look at one part. It is shorter than what probes wait for their answer.
	timeout = 3 * time.Second
	// retry is the Retry-After of an answer that it is not ready.
	retry = 5 * time.Second
)

// A Part is something without which the process cannot do its work.
type Part struct {
	Name  string                      // for people and metrics, e.g. "database"
	Check func(context.Context) error // nil: it works
}

// A Checker looks at parts and remembers what it saw for a moment. Safe for concurrent use.
type Checker struct {
	parts []Part
	now   func() time.Time

	mu   sync.Mutex
	seen time.Time // when errs were found out; zero: never
	errs []error   // by part
}

// New makes a checker of parts. It registers ragify_health_up with registry, which may be nil.
func New(registry prometheus.Registerer, parts ...Part) (*Checker, error) {
	c := &Checker{parts: parts, now: time.Now}
	if registry == nil {
		return c, nil
	}
	return c, registry.Register(collector{c})
}

// Check returns nil when all parts work. Otherwise the fault is Unavailable: "not_ready", or what the only part that
// fails says itself; its fact "parts" names those that fail. ctx only bounds the waiting: the verdict is for others, too.
func (c *Checker) Check(ctx context.Context) error {
	verdict := make(chan []error, 1)
	go func() { verdict <- c.look(context.WithoutCancel(ctx)) }()
	select {
	case errs := <-verdict:
		return c.sum(errs)
	case <-ctx.Done():
		return fault.New(fault.Unavailable, "not_ready", "The service is not ready.").After(retry).Because(ctx.Err())
	}
}

// look gives the parts' errors, as of a second ago at most.
func (c *Checker) look(ctx context.Context) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := c.now().Sub(c.seen); age >= 0 && age < freshness {
		return c.errs
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	errs := make([]error, len(c.parts))
	var all sync.WaitGroup
	for i, p := range c.parts {
		all.Go(func() { errs[i] = within(ctx, p) })
	}
	all.Wait()
	c.seen, c.errs = c.now(), errs
	return errs
}

// within checks p, and gives it up when ctx ends though it does not return: a file system that hangs listens to no context.
func within(ctx context.Context, p Part) error {
	done := make(chan error, 1)
	go func() { done <- p.Check(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %v", timeout)
	}
}

// sum makes one error of the parts'.
func (c *Checker) sum(errs []error) error {
	var names []string
	var causes []error
	for i, err := range errs {
		if err != nil {
			names = append(names, c.parts[i].Name)
			causes = append(causes, fmt.Errorf("%s: %w", c.parts[i].Name, err))
		}
	}
	if len(causes) == 0 {
		return nil
	}
	cause := errors.Join(causes...)
	f := fault.New(fault.Unavailable, "not_ready", "The service is not ready: a part of it does not work.")
	if said := fault.From(cause); len(causes) == 1 && said.Kind == fault.Unavailable {
		its := *said // a copy, for whose it is may keep it
		its.Facts = nil
		f = &its
	}
	return f.After(retry).With("parts", slices.Clip(names)).Because(cause)
}

// collector exports the parts' state.
type collector struct{ c *Checker }

var upDesc = prometheus.NewDesc("ragify_health_up", "Whether a part of the process works: 1, or 0. GET /readyz is 200 when all do.", []string{"part"}, nil)

// Describe implements prometheus.Collector.
func (collector) Describe(out chan<- *prometheus.Desc) { out <- upDesc }

// Collect implements prometheus.Collector.
func (k collector) Collect(out chan<- prometheus.Metric) {
	for i, err := range k.c.look(context.Background()) {
		up := 1.0
		if err != nil {
			up = 0
		}
		out <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, up, k.c.parts[i].Name)
	}
}
