//go:build race

package sqlds

const raceDetector = true
