// Command nexus is the server and its client. See nexus help.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"nexus/cmd/nexus/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := cli.Run(ctx, os.Args[1:], cli.OS())
	stop()
	os.Exit(status)
}
