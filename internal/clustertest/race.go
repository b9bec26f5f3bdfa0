//go:build race

package clustertest

// raceDetector tells whether this program was built with it.
const raceDetector = true
