// Package plan is the table of what each plan allows.
package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/ragify/ragify/internal/option"
)

// Tier names a plan.
type Tier string

// The tiers, smallest first.
const (
	Free     Tier = "free"
	Pro      Tier = "pro"
	Business Tier = "business"
)

// Tiers lists every tier, smallest first.
func Tiers() []Tier { return []Tier{Free, Pro, Business} }

// Plan is what one tier allows. A nil limit means unlimited.
type Plan struct {
	Tier              Tier            `json:"tier"`
	MaxAPIKeys        *int            `json:"max_api_keys"` // active at once; 0: no API access at all
	MaxFileSize       *int64          `json:"max_file_size_bytes"`
	MaxConcurrentJobs *int            `json:"max_concurrent_jobs"`
	PagesPerMonth     *int            `json:"pages_per_month"` // per calendar month, UTC
	Formats           []option.Format `json:"formats"`
	ImageExtraction   bool            `json:"image_extraction"`
}

// APIAccess reports whether API keys of accounts on p may be used.
func (p Plan) APIAccess() bool { return p.MaxAPIKeys == nil || *p.MaxAPIKeys > 0 }

// AllowsFormat reports whether f is among p's formats.
func (p Plan) AllowsFormat(f option.Format) bool { return slices.Contains(p.Formats, f) }

// Table maps every tier to its plan.
type Table map[Tier]Plan

const megabyte = 1_000_000 // bytes, as in the contract: decimal

// Default is the plan table of the contract, section 2.
func Default() Table {
	all := []option.Format{option.Markdown, option.JSON, option.HTML, option.Text, option.TaggedPDF, option.AnnotatedPDF, option.Chunks}
	return Table{
		Free:     {Free, new(0), new(int64(25 * megabyte)), new(2), new(50), []option.Format{option.Markdown, option.Text}, false},
		Pro:      {Pro, new(3), new(int64(150 * megabyte)), new(5), new(2_000), all, true},
		Business: {Business, new(10), nil, new(20), new(20_000), all, true},
	}
}

// Override applies a JSON object {"tier": {"cell": value, …}, …} to a copy of t; null means unlimited.
// Unknown tiers and cells, negative numbers and unknown formats are errors that name the culprit.
func (t Table) Override(data []byte) (Table, error) {
	var tiers map[Tier]json.RawMessage
	if err := json.Unmarshal(data, &tiers); err != nil {
		return nil, fmt.Errorf("plans: not a JSON object of tiers: %w", err)
	}
	out := maps.Clone(t)
	for tier, raw := range tiers {
		p, ok := out[tier]
		if !ok {
			return nil, fmt.Errorf("plans: unknown tier %q", tier)
		}
		if string(bytes.TrimSpace(raw)) == "null" {
			return nil, fmt.Errorf("plans: tier %q: not a JSON object", tier)
		}
		all := t[Business].Formats
		p = p.clone()
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("plans: tier %q: %w", tier, err)
		}
		if p.Tier != tier {
			return nil, fmt.Errorf("plans: tier %q: cell \"tier\" cannot change", tier)
		}
		if err := p.check(all); err != nil {
			return nil, fmt.Errorf("plans: tier %q: %w", tier, err)
		}
		out[tier] = p
	}
	return out, nil
}

// clone copies p down to its limits: the JSON decoder writes through pointers it finds.
func (p Plan) clone() Plan {
	p.MaxAPIKeys = copyOf(p.MaxAPIKeys)
	p.MaxFileSize = copyOf(p.MaxFileSize)
	p.MaxConcurrentJobs = copyOf(p.MaxConcurrentJobs)
	p.PagesPerMonth = copyOf(p.PagesPerMonth)
	p.Formats = slices.Clone(p.Formats)
	return p
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	return new(*p)
}

func (p Plan) check(all []option.Format) error {
	for name, v := range map[string]*int{"max_api_keys": p.MaxAPIKeys, "max_concurrent_jobs": p.MaxConcurrentJobs, "pages_per_month": p.PagesPerMonth} {
		if v != nil && *v < 0 {
			return fmt.Errorf("%s must be 0 or more, or null for unlimited", name)
		}
		if v != nil && *v > math.MaxInt32 { // the database counts in 32 bits
			return fmt.Errorf("%s must be at most %d, or null for unlimited", name, math.MaxInt32)
		}
	}
	if p.MaxFileSize != nil && *p.MaxFileSize < 1 {
		return fmt.Errorf("max_file_size_bytes must be at least 1, or null for unlimited")
	}
	if len(p.Formats) == 0 {
		return fmt.Errorf("formats must name at least one format")
	}
	for _, f := range p.Formats {
		if !slices.Contains(all, f) {
			return fmt.Errorf("unknown format %q", f)
		}
	}
	return nil
}
