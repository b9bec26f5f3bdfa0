package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"slices"
)

// A baseline remembers how well every document came out when somebody last decided to remember it: values by
// section, document and metric.
type baseline map[string]map[string]map[string]float64

// readBaseline reads a baseline; one that is not there yet is empty.
func readBaseline(path string) (baseline, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return baseline{}, nil
	}
	if err != nil {
		return nil, err
	}
	b := baseline{}
	return b, json.Unmarshal(data, &b)
}

// put replaces what is known of a section.
func (b baseline) put(s *section) {
	docs := make(map[string]map[string]float64, len(s.docs))
	for _, d := range s.docs {
		values := make(map[string]float64, len(s.metrics))
		for k, metric := range s.metrics {
			if v := d.values[k]; !math.IsNaN(v) {
				const kept = 1e4 // four decimals: what changes beyond them is noise
				values[metric] = math.Round(v*kept) / kept
			}
		}
		docs[d.id] = values
	}
	b[s.name] = docs
}

// write keeps the baseline with a line for each document, so that its changes can be read.
func (b baseline) write(path string) error {
	var out bytes.Buffer
	for i, name := range slices.Sorted(maps.Keys(b)) {
		fmt.Fprintf(&out, "%s\n  %q: {", [2]string{"{", ","}[min(i, 1)], name)
		for k, id := range slices.Sorted(maps.Keys(b[name])) {
			values, err := json.Marshal(b[name][id])
			if err != nil {
				return err
			}
			fmt.Fprintf(&out, "%s\n    %q: %s", [2]string{"", ","}[min(k, 1)], id, values)
		}
		out.WriteString("\n  }")
	}
	out.WriteString("\n}\n")
	return os.WriteFile(path, out.Bytes(), 0o644)
}
