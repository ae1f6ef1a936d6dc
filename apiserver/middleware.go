package apiserver

import (
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/authn"
	"nexus/internal/errs"
	"nexus/internal/ids"
)

// identify gives the request an id, the client's own when that is sane, and sends it back.
func (s *Server) identify(c *gin.Context) {
	id := authn.ChooseRequestID(c.GetHeader(authn.RequestHeader))
	c.Header(authn.RequestHeader, id)
	c.Request = c.Request.WithContext(authn.WithRequestID(c.Request.Context(), id))
	c.Next()
}

// recover answers for a handler that panics. http.ErrAbortHandler is how one asks for the connection to be cut.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler {
			panic(p)
		}
		incident := ids.New()
		s.config.Log.Error("handler panicked", "error_id", incident, "route", c.FullPath(),
			"request_id", authn.RequestID(c.Request.Context()), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		if c.Writer.Written() {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
		c.AbortWithStatusJSON(http.StatusInternalServerError, body{errs.Internal.String(), "internal error " + incident})
	}()
	c.Next()
}

// limit bounds how many requests run at once. Probes and metrics are let through: they are asked for when it is crowded.
func (s *Server) limit(c *gin.Context) {
	switch c.FullPath() {
	case "/healthz", "/readyz", "/metrics":
		c.Next()
		return
	}
	if !s.inFlight.TryAcquire(1) {
		c.Header("Retry-After", "1")
		problem(c, errs.New(errs.Unavailable, "too many requests at once"))
		return
	}
	defer s.inFlight.Release(1)
	c.Next()
}

// body is the error of what no face answers.
type body struct {
	Error   string `json:"error"`
	Message string `json:"message"`
}

func problem(c *gin.Context, e *errs.Error) {
	c.AbortWithStatusJSON(errs.HTTP(e), body{e.Kind.String(), errs.Public(e)})
}
