package apiserver

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"nexus/internal/errs"
)

// Metrics counts requests and operations. No label holds a subject, an object or an id. It is safe for concurrent use.
type Metrics struct {
	// Registry is where other parts of the program add what they count.
	Registry *prometheus.Registry

	requests   *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	operations *prometheus.CounterVec
	times      *prometheus.HistogramVec
}

// buckets reach from a cached decision to a slow backend.
var buckets = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// NewMetrics returns metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		Registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nexus_http_requests_total", Help: "Requests by route, method and status.",
		}, []string{"route", "method", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nexus_http_request_duration_seconds", Help: "Time from the end of a request's header to the end of its answer.", Buckets: buckets,
		}, []string{"route", "method"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "nexus_operations_total", Help: "Operations by name and how they ended: ok, or the kind of the error.",
		}, []string{"operation", "code"}),
		times: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "nexus_operation_duration_seconds", Help: "Time an operation took, its decision included.", Buckets: buckets,
		}, []string{"operation"}),
	}
	m.Registry.MustRegister(m.requests, m.durations, m.operations, m.times,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Operation counts one operation. Faces are given it to observe what they call.
func (m *Metrics) Operation(name string, err error, took time.Duration) {
	code := "ok"
	if err != nil {
		code = errs.KindOf(err).String()
	}
	m.operations.WithLabelValues(name, code).Inc()
	m.times.WithLabelValues(name).Observe(took.Seconds())
}

// measure counts a request under its route, so that what clients invent makes no new series.
func (m *Metrics) measure(c *gin.Context) {
	start := time.Now()
	defer func() {
		route, method := c.FullPath(), c.Request.Method
		if route == "" {
			route, method = "none", "any"
		}
		m.requests.WithLabelValues(route, method, strconv.Itoa(c.Writer.Status())).Inc()
		m.durations.WithLabelValues(route, method).Observe(time.Since(start).Seconds())
	}()
	c.Next()
}

func (m *Metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{Registry: m.Registry})
}
