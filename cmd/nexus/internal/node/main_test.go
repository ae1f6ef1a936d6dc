package node

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs the tests, or what a test starts the binary again for.
func TestMain(m *testing.M) {
	if role := os.Getenv(envChild); role != "" {
		os.Exit(child(role))
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) // packages of SpiceDB start some for the life of the process
}
