//go:build unix

package clustertest_test

import (
	"testing"

	"github.com/ragify/ragify/internal/clustertest"
	"github.com/ragify/ragify/internal/pdfium/pdftest"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres/pgtest"
)

func TestCluster(t *testing.T) {
	c := clustertest.Start(t, clustertest.Options{Nodes: 2, Env: []string{"WORKERS=1"}})
	ada := c.Account("ada@example.com", plan.Pro)
	first, second := c.Nodes[0], c.Nodes[1]

	j, err := first.Client(ada).Submit(t.Context(), clustertest.Submission{Name: "a.pdf", PDF: pdftest.Pages(2)})
	if err != nil {
		t.Fatal(err)
	}
	url := first.URL()
	first.Kill()
	if j, err = second.Client(ada).Wait(t.Context(), j.ID); err != nil || j.Status != "done" {
		t.Fatalf("got %+v, %v", j, err)
	}
	c.Postgres.Kill()
	c.Postgres.Start()
	c.Bucket.Kill()
	c.Bucket.Start()
	if err := first.Start(); err != nil || first.URL() != url {
		t.Fatalf("restarted at %s: %v", first.URL(), err)
	}
	if j, err = first.Client(ada).Job(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	if b, err := first.Client(ada).Download(t.Context(), j.DownloadURLs["markdown"]); err != nil || len(b) == 0 {
		t.Errorf("download: %q, %v", b, err)
	}
	for _, n := range c.Nodes {
		if err := n.Terminate(); err != nil {
			t.Error(err)
		}
	}
	pgtest.CheckBooks(t, c.Pool())
}
