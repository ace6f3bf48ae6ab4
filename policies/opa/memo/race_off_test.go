//go:build !race

package memo

// raceDetector tells that everything is several times slower.
const raceDetector = false
