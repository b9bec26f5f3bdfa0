//go:build !linux

package ocr

import "os/exec"

// dieWithParent does nothing here: when we die, the program ends with the page at hand.
func dieWithParent(*exec.Cmd) {}
