//go:build race

package node

// slower divides the rounds of the tests that repeat themselves: children take seconds to start under the race detector.
const slower = 5
