package apiserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"nexus/apiserver"
)

func preflight(h http.Handler, path, origin string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodOptions, path, nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", http.MethodPut)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestPagesOfKnownOriginsAloneMayCall(t *testing.T) {
	called := 0
	face := routes(func(r gin.IRouter) {
		r.PUT("/x", func(*gin.Context) { called++ })
		r.GET("/x", func(*gin.Context) { called++ })
	})
	s, _ := server(t, apiserver.Config{Faces: []apiserver.Face{face}, Origins: []string{"https://app.example"}})
	w := preflight(s, "/x", "https://app.example")
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Origin") != "https://app.example" || w.Header().Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight of a known origin = %d %v", w.Code, w.Header())
	}
	for _, origin := range []string{"https://evil.example", "https://app.example.evil.example", "http://app.example", "null"} {
		if w := preflight(s, "/x", origin); w.Header().Get("Access-Control-Allow-Origin") != "" || w.Code == 204 {
			t.Errorf("preflight of %s = %d %v", origin, w.Code, w.Header())
		}
		if w := get(s, "/x", "Origin", origin); w.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("GET of %s is allowed: %v", origin, w.Header())
		}
	}
	called = 0
	if w := get(s, "/x", "Origin", "https://app.example"); called != 1 || w.Header().Get("Access-Control-Allow-Origin") == "" || w.Header().Get("Vary") != "Origin" {
		t.Errorf("GET of a known origin: called %d times, %v", called, w.Header())
	}
	none, _ := server(t, apiserver.Config{Faces: []apiserver.Face{face}})
	if w := preflight(none, "/x", "https://app.example"); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without a list a preflight = %d %v", w.Code, w.Header())
	}
}

func TestReadyServerSaysWhatItRefuses(t *testing.T) {
	notice := ""
	s, _ := server(t, apiserver.Config{Notice: func() string { return notice }})
	if w := get(s, "/readyz"); w.Code != 200 || w.Body.String() != `{"probes":{},"status":"ready"}` {
		t.Errorf("/readyz = %d %s", w.Code, w.Body)
	}
	notice = "the disk is nearly full: writes are refused"
	if w := get(s, "/readyz"); w.Code != 200 || w.Body.String() != `{"notice":"the disk is nearly full: writes are refused","probes":{},"status":"ready"}` {
		t.Errorf("/readyz = %d %s", w.Code, w.Body)
	}
}
