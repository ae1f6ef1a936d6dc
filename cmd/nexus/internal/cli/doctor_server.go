package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"nexus/apiserver/api"
	"nexus/apiserver/client"
	"nexus/internal/errs"
)

// How long a check of the server may take, and how far its clock may be from ours.
const (
	patience = 5 * time.Second
	skew     = 2 * time.Second
)

// examineServer looks at the server that the environment names. Where none can be reached the rest is left out: nexus
// doctor is also run before the first start.
func (a *app) examineServer(ctx context.Context) []diagnosis {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := client.New(a.address(), a.env("NEXUS_API_KEY"))
	if err != nil {
		return []diagnosis{{"server", bad, describe(err), "set NEXUS_URL to an address such as " + defaultURL}}
	}
	defer c.Close()
	status, err := client.Call(ctx, c, api.Status, api.Nothing{})
	if err != nil {
		return []diagnosis{{"server", warn, a.address() + ": " + describe(err), "start it with nexus serve, or set NEXUS_URL"}}
	}
	all := []diagnosis{{Check: "server", State: fine, Found: fmt.Sprintf("%s runs, version %s", a.address(), status.Version)}}
	return append(all, examine(ctx,
		func(context.Context) diagnosis { return versions(status.Version) },
		a.ready, a.clocks, a.models,
		func(ctx context.Context) diagnosis { return a.keyWorks(ctx, c) },
	)...)
}

func versions(server string) diagnosis {
	if server != Version {
		return diagnosis{"version", warn, "this program is " + Version + ", the server " + server, "install the same version of both"}
	}
	return diagnosis{Check: "version", State: fine, Found: Version + " on both sides"}
}

func (a *app) keyWorks(ctx context.Context, c *client.Client) diagnosis {
	if a.env("NEXUS_API_KEY") == "" {
		return diagnosis{"key", warn, "NEXUS_API_KEY is not set", "set it to a key; nexus serve prints the first one"}
	}
	who, err := client.Call(ctx, c, api.Whoami, api.Nothing{})
	switch {
	case errors.Is(err, errs.Unauthenticated):
		return diagnosis{"key", bad, "the server does not know the key", "make one with nexus key create"}
	case err != nil:
		return diagnosis{"key", bad, describe(err), "see the server's log"}
	}
	found := fmt.Sprintf("%s:%s of tenant %s", who.SubjectType, who.SubjectID, who.Tenant)
	if who.IsAdmin {
		found += ", an admin key"
	}
	return diagnosis{Check: "key", State: fine, Found: found}
}

// ready asks the server whether it can decide, record and answer.
func (a *app) ready(ctx context.Context) diagnosis {
	status, _, err := a.fetch(ctx, "/readyz")
	switch {
	case err != nil:
		return diagnosis{"readiness", bad, describe(err), "see the server's log"}
	case status != http.StatusOK:
		return diagnosis{"readiness", bad, "the server says it is not ready", "see its log for the probe that fails: a full disk is the usual reason"}
	}
	return diagnosis{Check: "readiness", State: fine, Found: "decisions can be made and recorded"}
}

// clocks compares the server's clock with ours: keys and relationships that end do so by the server's.
func (a *app) clocks(ctx context.Context) diagnosis {
	before := time.Now()
	_, header, err := a.fetch(ctx, "/healthz")
	after := time.Now()
	at, parsed := http.ParseTime(header.Get("Date"))
	if err != nil || parsed != nil {
		return diagnosis{"clock", warn, "the server does not tell its time", ""}
	}
	// The header is cut to seconds.
	if at.Before(before.Add(-skew-time.Second)) || at.After(after.Add(skew)) {
		return diagnosis{"clock", warn, fmt.Sprintf("the server's is %s away from this machine's", at.Sub(before).Round(time.Second)), "run NTP on both"}
	}
	return diagnosis{Check: "clock", State: fine, Found: "agrees with the server's"}
}

func (a *app) fetch(ctx context.Context, path string) (status int, header http.Header, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address()+path, nil)
	if err != nil {
		return 0, nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, resp.Header, resp.Body.Close()
}

// models asks whether the server speaks the Model Context Protocol, and whether it tells clients under which name.
func (a *app) models(ctx context.Context) diagnosis {
	if status, _, err := a.fetch(ctx, "/.well-known/oauth-protected-resource/mcp"); err == nil && status == http.StatusOK {
		return diagnosis{Check: "mcp", State: fine, Found: "agents can connect to " + a.address() + "/mcp"}
	}
	status, _, err := a.fetch(ctx, "/mcp")
	switch {
	case err != nil:
		return diagnosis{"mcp", warn, describe(err), "see the server's log"}
	case status == http.StatusNotFound:
		return diagnosis{Check: "mcp", State: fine, Found: "is switched off"}
	}
	return diagnosis{"mcp", warn, "the server does not know the URL that clients reach it under", "set public-url, so that they find how to authenticate"}
}
