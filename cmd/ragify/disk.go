package main

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/ragify/ragify/internal/health"
)

// lowDisk is how little space under DATA_DIR/tmp makes a process not ready, in bytes: an upload of the pro plan's 150 MB
// takes three times its size there, once more when it is decrypted, and results come on top.
const lowDisk = 512 << 20

// diskPart looks at the space for uploads and conversions.
func (s *service) diskPart() health.Part {
	dir := s.config.tempDir()
	promauto.With(s.registry).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "ragify_disk_free_bytes", Help: "Space left for uploads and conversions, under DATA_DIR/tmp.",
	}, func() float64 {
		free, err := freeSpace(dir)
		if err != nil {
			return 0 // as good as none
		}
		return float64(free)
	})
	return health.Part{Name: "disk", Check: func(context.Context) error { return checkSpace(dir, lowDisk) }}
}

// checkSpace wants at least so many bytes free where dir is.
func checkSpace(dir string, least uint64) error {
	free, err := freeSpace(dir)
	if err == nil && free < least {
		err = fmt.Errorf("%d MB left in %s, less than %d MB", free/1e6, dir, least/1e6)
	}
	return err
}
