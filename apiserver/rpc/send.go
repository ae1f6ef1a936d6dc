package rpc

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"
	"github.com/klauspost/compress/gzip"
)

// worthwhile is the length in bytes above which an answer is compressed.
const worthwhile = 1 << 10

var compressors = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}}

// send sends a JSON body. A client that is gone by now does not learn of it, and nobody else needs to.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept-Encoding")
	if len(body) <= worthwhile || !takesGzip(r.Header) {
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body)
		return
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(w)
	_, _ = z.Write(body)
	_ = z.Close()
}

// takesGzip reports whether Accept-Encoding names gzip with a weight above zero.
func takesGzip(h http.Header) bool {
	for _, value := range h.Values("Accept-Encoding") {
		for offer := range strings.SplitSeq(value, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(offer), ";")
			if strings.EqualFold(strings.TrimSpace(name), "gzip") {
				return !refuses(weight)
			}
		}
	}
	return false
}

// refuses reports whether the parameters of an offer give it no weight.
func refuses(weight string) bool {
	value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(weight)), "q=")
	q, err := strconv.ParseFloat(value, 64)
	return ok && err == nil && q == 0
}

// cors lets pages of any origin call, as nexus-rpc.txt says. Nothing is lost by it: keys are sent by hand, never by the browser.
func cors(c *gin.Context) { c.Header("Access-Control-Allow-Origin", "*") }

func preflight(c *gin.Context) {
	c.Header("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	c.Header("Access-Control-Allow-Headers", "Content-Type, Authorization")
	c.Header("Access-Control-Max-Age", "86400")
	c.Status(http.StatusNoContent)
}
