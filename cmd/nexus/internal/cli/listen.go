package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"nexus/cmd/nexus/internal/config"
	"nexus/internal/errs"
)

// listen opens the server's listener, with TLS where a certificate is given. reload reads the certificate again.
func listen(c config.Config, proxies []netip.Prefix, log *slog.Logger) (l net.Listener, reload func() error, err error) {
	reload = func() error { return nil }
	var held *certificate
	if c.TLSCert != "" {
		if held, err = readCertificate(c.TLSCert, c.TLSKey, log); err != nil {
			return nil, nil, err
		}
		reload = held.reload
	}
	l, err = net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, nil, errs.New(errs.Unavailable, "cannot listen on %s", c.Listen).Because(err)
	}
	switch {
	case held != nil:
		l = tls.NewListener(l, &tls.Config{
			GetCertificate: held.current, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		})
	case len(proxies) > 0 && !c.InsecureListen:
		l = behindProxies{l, proxies, log}
	}
	return l, reload, nil
}

// scheme is how clients write the server's address.
func scheme(c config.Config) string {
	if c.TLSCert != "" {
		return "https"
	}
	return "http"
}

// certificate is read again when its files change, and when it is asked to.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex // guards what follows
	pair   *tls.Certificate
	of     [2]time.Time // when the files were changed that pair was read from
	looked time.Time
}

// lookEvery is how old a certificate's files may be read at the most.
const lookEvery = time.Second

func readCertificate(cert, key string, log *slog.Logger) (*certificate, error) {
	c := &certificate{cert: cert, key: key, log: log}
	return c, c.reload()
}

// reload reads the files. When they cannot be used the old certificate stays, and the error says why.
func (c *certificate) reload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(c.changed())
}

func (c *certificate) read(of [2]time.Time) error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return errs.New(errs.Invalid, "the certificate %s cannot be used with %s", c.cert, c.key).Because(err)
	}
	c.pair, c.of, c.looked = &pair, of, time.Now()
	return nil
}

// current returns the certificate for a connection.
func (c *certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.looked) < lookEvery {
		return c.pair, nil
	}
	c.looked = now
	if of := c.changed(); of != c.of {
		if err := c.read(of); err != nil { // half replaced, perhaps: the old one serves until it is whole
			c.of = of // tried again when they change again
			c.log.Warn("the certificate changed and cannot be used", "error", err)
		}
	}
	return c.pair, nil
}

func (c *certificate) changed() (at [2]time.Time) {
	for i, name := range []string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			at[i] = info.ModTime()
		}
	}
	return at
}

// behindProxies takes connections from proxies and from this machine alone: plain HTTP is served because TLS ends there.
type behindProxies struct {
	net.Listener
	proxies []netip.Prefix
	log     *slog.Logger
}

// Accept returns the next connection of a proxy.
func (b behindProxies) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil || b.trusts(conn.RemoteAddr()) {
			return conn, err
		}
		b.log.Warn("connection refused: plain HTTP is served to trusted-proxies alone", "address", conn.RemoteAddr())
		_ = conn.Close()
	}
}

func (b behindProxies) trusts(peer net.Addr) bool {
	at, err := netip.ParseAddrPort(peer.String())
	if err != nil {
		return false
	}
	address := at.Addr().Unmap().WithZone("")
	return address.IsLoopback() || slices.ContainsFunc(b.proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// onHangUp calls each of reload whenever the process is told to read its files again (SIGHUP), until ctx ends.
func onHangUp(ctx context.Context, log *slog.Logger, reload ...func() error) (stop func()) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGHUP)
	var watching sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	watching.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-told:
			}
			var all []error
			for _, f := range reload {
				all = append(all, f())
			}
			if err := errors.Join(all...); err != nil {
				log.Error("what was read again cannot be used: the old stays in force", "error", err)
				continue
			}
			log.Info("certificate and policies were read again")
		}
	})
	return func() { signal.Stop(told); cancel(); watching.Wait() }
}
