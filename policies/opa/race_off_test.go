//go:build !race

package opa

// raceDetector tells that everything is several times slower.
const raceDetector = false
