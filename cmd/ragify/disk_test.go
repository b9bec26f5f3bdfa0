package main

import (
	"math"
	"testing"
)

func TestCheckSpace(t *testing.T) {
	dir := t.TempDir()
	if err := checkSpace(dir, 1); err != nil {
		t.Errorf("one byte: %v", err)
	}
	if err := checkSpace(dir, math.MaxUint64); err == nil {
		t.Error("no file system is that large")
	}
	if err := checkSpace(dir+"/missing", 1); err == nil {
		t.Error("where nothing is there is no space")
	}
}
