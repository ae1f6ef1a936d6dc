package spice

import (
	"context"
	"errors"
	"strconv"
	"sync"

	v1 "github.com/authzed/authzed-go/proto/authzed/api/v1"
	spicedb "github.com/authzed/spicedb/pkg/cmd/server"
	"github.com/authzed/spicedb/pkg/cmd/util"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// server is a SpiceDB server and a client of it, joined by memory.
type server struct {
	permissions v1.PermissionsServiceClient
	conn        *grpc.ClientConn
	stop        context.CancelFunc
	done        chan struct{} // closed when the run has ended
	err         error         // of the run; read after done
}

// quiet turns off the logger and the tracer that SpiceDB shares with whatever else in the process uses them: nothing of ours
// does. The tracer that stands in where none is set makes a span for each step of a check all the same.
var quiet = sync.OnceFunc(func() {
	zerolog.SetGlobalLevel(zerolog.Disabled)
	otel.SetTracerProvider(noop.NewTracerProvider())
})

// start runs a server until it is closed, or ctx ends.
func start(ctx context.Context, c *spicedb.Config) (*server, error) {
	quiet()
	ctx, stop := context.WithCancel(ctx)
	runnable, err := c.Complete(ctx)
	if err != nil {
		stop()
		return nil, err
	}
	s := &server{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = runnable.Run(ctx)
	}()
	s.conn, err = runnable.NewClient(grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.permissions = v1.NewPermissionsServiceClient(s.conn)
	return s, nil
}

// close ends the server: the client's side first, so that the server has nothing to wait for.
func (s *server) close() error { return errors.Join(s.conn.Close(), s.end()) }

// end stops the run and returns its error, unless that only says that it was stopped.
func (s *server) end() error {
	s.stop()
	<-s.done
	if errors.Is(s.err, context.Canceled) || errors.Is(s.err, grpc.ErrServerStopped) {
		return nil
	}
	return s.err
}

// config is SpiceDB's with everything off that would reach outside the process: its defaults listen on every interface,
// report telemetry and take a third of the memory.
func config(store Store, schemaCache int64, tune spicedb.ConfigOption) *spicedb.Config {
	return spicedb.NewConfigWithOptionsAndDefaults(
		spicedb.WithDatastore(store),
		spicedb.WithGRPCServer(util.GRPCServerConfig{Network: util.BufferedNetwork, Enabled: true}),
		spicedb.WithGRPCAuthFunc(func(ctx context.Context) (context.Context, error) { return ctx, nil }), // reachable from memory only
		spicedb.WithHTTPGateway(util.HTTPServerConfig{}),
		spicedb.WithMetricsAPI(util.HTTPServerConfig{}),
		spicedb.WithDispatchServer(util.GRPCServerConfig{}),
		spicedb.WithSilentlyDisableTelemetry(true),
		spicedb.WithDisableVersionResponse(true),
		spicedb.WithDisableGRPCLatencyHistogram(true),
		spicedb.WithDispatchClientMetricsEnabled(false),
		spicedb.WithDispatchClusterMetricsEnabled(false),
		spicedb.WithEnableMemoryProtectionMiddleware(false), // it refuses checks by the memory of the whole process
		spicedb.WithEnableExperimentalWatchableSchemaCache(false),
		spicedb.WithExperimentalSchemaMode("read-new-write-new"),
		spicedb.WithMismatchZedTokenBehavior("error"),
		spicedb.WithDispatchMaxDepth(MaxDepth),
		spicedb.WithStoredSchemaCacheConfig(cache("stored_schema", schemaCache)),
		spicedb.WithNamespaceCacheConfig(cache("namespace", 0)),
		spicedb.WithClusterDispatchCacheConfig(cache("cluster_dispatch", 0)),
		spicedb.WithLR3ResourceChunkCacheConfig(cache("lr3_chunk", 0)),
		tune,
	)
}

// checking tunes a server for many questions: answers are shared through a cache of at most so many bytes.
func checking(bytes int64) spicedb.ConfigOption {
	return spicedb.WithDispatchCacheConfig(cache("dispatch", bytes))
}

// stepwise tunes a server for explanations: nothing cached, one object a question, one question at a time. So a trace has
// every step, names the object of each, and is the same each time: what the schema writes first is found first.
func stepwise(c *spicedb.Config) {
	c.DispatchCacheConfig = cache("dispatch", 0)
	c.DispatchChunkSize = 1
	c.GlobalDispatchConcurrencyLimit = 1
	c.DispatchConcurrencyLimits.Check = 1
}

// cache configures one of SpiceDB's caches. Metrics stay off: they would be registered for the whole process, once a server.
func cache(name string, bytes int64) spicedb.CacheConfig {
	if bytes <= 0 {
		return spicedb.CacheConfig{Name: name}
	}
	return spicedb.CacheConfig{Name: name, Enabled: true, MaxCost: strconv.FormatInt(bytes, 10) + "B"}
}
