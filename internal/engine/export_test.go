package engine

import "time"

// Pids are the process ids of the living children.
func (e *Engine) Pids() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	var pids []int
	for c := range e.live {
		pids = append(pids, c.pid)
	}
	return pids
}

// SetOCR changes how many pages a child recognises at once, and the deadline for each.
func (e *Engine) SetOCR(processes int, pageTime time.Duration) {
	e.ocrProcesses, e.ocrPageTime = processes, pageTime
}
