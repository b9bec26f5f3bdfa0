package engine

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
