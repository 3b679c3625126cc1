//go:build race

package graph_test

// raceDetector reports whether times and memory are not what they are.
const raceDetector = true
