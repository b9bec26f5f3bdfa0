package postgres_test

import (
	"sync/atomic"
	"testing"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/plan"
)

// BenchmarkSubmit measures submissions that are accepted, from many goroutines: all for one account,
// and spread over fifty.
func BenchmarkSubmit(b *testing.B) {
	for name, n := range map[string]int{"one account": 1, "fifty accounts": 50} {
		b.Run(name, func(b *testing.B) {
			s := newBench(b)
			accounts := make([]account.Account, n)
			for i := range accounts {
				accounts[i] = s.account(b, plan.Pro)
			}
			p := proPlan()
			p.MaxConcurrentJobs, p.PagesPerMonth = nil, nil
			var next atomic.Int64
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := s.Submit(b.Context(), submission(accounts[int(next.Add(1))%n], 1), p); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submissions/s")
		})
	}
}
