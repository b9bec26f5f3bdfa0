package plan_test

import (
	"strings"
	"testing"

	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/plan"
)

func TestDefault(t *testing.T) {
	table := plan.Default()
	t.Run("free has no API access and two formats", func(t *testing.T) {
		p := table[plan.Free]
		if p.APIAccess() || !p.AllowsFormat(option.Text) || p.AllowsFormat(option.JSON) || *p.PagesPerMonth != 50 {
			t.Fatalf("got %+v", p)
		}
	})
	t.Run("business has no size limit", func(t *testing.T) {
		if table[plan.Business].MaxFileSize != nil {
			t.Fatal("want nil")
		}
	})
	t.Run("pro takes 150 decimal megabytes", func(t *testing.T) {
		if *table[plan.Pro].MaxFileSize != 150_000_000 {
			t.Fatal(*table[plan.Pro].MaxFileSize)
		}
	})
}

func TestOverride(t *testing.T) {
	t.Run("changes only the named cells and leaves the original alone", func(t *testing.T) {
		base := plan.Default()
		got, err := base.Override([]byte(`{"free":{"pages_per_month":10,"max_api_keys":1},"pro":{"pages_per_month":null}}`))
		if err != nil {
			t.Fatal(err)
		}
		if *got[plan.Free].PagesPerMonth != 10 || !got[plan.Free].APIAccess() || got[plan.Pro].PagesPerMonth != nil {
			t.Fatalf("got %+v", got)
		}
		if *got[plan.Free].MaxConcurrentJobs != 2 || *base[plan.Free].PagesPerMonth != 50 || *base[plan.Free].MaxAPIKeys != 0 {
			t.Fatal("other cells or the original changed")
		}
	})
	for name, c := range map[string]struct{ in, want string }{
		"not JSON":           {`nope`, "JSON"},
		"unknown tier":       {`{"gold":{}}`, "gold"},
		"unknown cell":       {`{"pro":{"max_keys":1}}`, "max_keys"},
		"negative":           {`{"pro":{"max_api_keys":-1}}`, "max_api_keys"},
		"zero size":          {`{"pro":{"max_file_size_bytes":0}}`, "max_file_size_bytes"},
		"no formats":         {`{"pro":{"formats":[]}}`, "formats"},
		"unknown format":     {`{"pro":{"formats":["docx"]}}`, "docx"},
		"renaming the tier":  {`{"pro":{"tier":"free"}}`, "tier"},
		"wrong type":         {`{"pro":{"pages_per_month":"many"}}`, "pro"},
		"tier not an object": {`{"pro":7}`, "pro"},
		"tier null":          {`{"pro":null}`, "pro"},
		"more than fits":     {`{"pro":{"pages_per_month":3000000000}}`, "pages_per_month"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if _, err := plan.Default().Override([]byte(c.in)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want it to name %q", err, c.want)
			}
		})
	}
}
