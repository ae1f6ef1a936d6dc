package apiserver

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"nexus/apiserver/authn"
)

// allowed are the request headers that pages of a known origin may send.
const allowed = "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, Range, X-Agent-ID, X-Nexus-Dialect, " +
	"X-Nexus-Subject, X-Nexus-Tenant-ID, X-Request-ID"

// cors lets pages of the configured origins call, and answers their preflights. No cookie is ever read, so credentials are
// not allowed: keys are sent by hand. What is from elsewhere goes on without a word, and the browser keeps the answer from it.
func (s *Server) cors(c *gin.Context) {
	origin := c.GetHeader("Origin")
	if origin == "" || len(s.config.Origins) == 0 {
		c.Next()
		return
	}
	c.Header("Vary", "Origin")
	if !slices.Contains(s.config.Origins, origin) && !slices.Contains(s.config.Origins, "*") {
		c.Next()
		return
	}
	c.Header("Access-Control-Allow-Origin", origin)
	c.Header("Access-Control-Expose-Headers", "ETag, Retry-After, "+authn.RequestHeader)
	if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
		c.Header("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
		c.Header("Access-Control-Allow-Headers", allowed)
		c.Header("Access-Control-Max-Age", "86400")
		c.AbortWithStatus(http.StatusNoContent)
		return
	}
	c.Next()
}
