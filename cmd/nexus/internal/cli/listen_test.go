package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"nexus/cmd/nexus/internal/config"
	"nexus/internal/errs"
)

// writeCertificate writes a fresh self-signed certificate with that number, and its key.
func writeCertificate(t *testing.T, c config.Config, number int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(number), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.TLSCert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	writeFile(t, c.TLSKey, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}))
}

func writeFile(t *testing.T, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// serialOf returns the number of the certificate that a server shows.
func serialOf(t *testing.T, address string) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // the test made the certificate
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateIsReadAgainAndABrokenOneIsNotTaken(t *testing.T) {
	dir := t.TempDir()
	c := config.Config{Listen: "127.0.0.1:0", TLSCert: filepath.Join(dir, "cert"), TLSKey: filepath.Join(dir, "key")}
	log := slog.New(slog.DiscardHandler)
	if _, _, err := listen(c, nil, log); !errors.Is(err, errs.Invalid) {
		t.Fatalf("listen without the files = %v, want invalid", err)
	}
	writeCertificate(t, c, 1)
	l, reload, err := listen(c, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, conn) // the handshake comes with the first read
			_ = conn.Close()
		}
	}()
	address := l.Addr().String()
	if got := serialOf(t, address); got != 1 {
		t.Errorf("certificate %d is shown, want 1", got)
	}
	writeCertificate(t, c, 2)
	if err := reload(); err != nil {
		t.Fatal(err)
	}
	if got := serialOf(t, address); got != 2 {
		t.Errorf("told to read it again, certificate %d is shown, want 2", got)
	}
	writeFile(t, c.TLSCert, []byte("half"))
	if err := reload(); !errors.Is(err, errs.Invalid) {
		t.Errorf("reload of a broken certificate = %v, want invalid", err)
	}
	if got := serialOf(t, address); got != 2 {
		t.Errorf("beside a broken one, certificate %d is shown, want 2", got)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	<-served
}

func TestChangedCertificateIsFoundWithoutBeingTold(t *testing.T) {
	dir := t.TempDir()
	c := config.Config{TLSCert: filepath.Join(dir, "cert"), TLSKey: filepath.Join(dir, "key")}
	writeCertificate(t, c, 1)
	held, err := readCertificate(c.TLSCert, c.TLSKey, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	number := func() int64 {
		pair, err := held.current(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.Int64()
	}
	writeCertificate(t, c, 2)
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(c.TLSCert, later, later); err != nil {
		t.Fatal(err)
	}
	held.looked = held.looked.Add(-lookEvery)
	if got := number(); got != 2 {
		t.Errorf("certificate %d is shown, want 2", got)
	}
	writeFile(t, c.TLSKey, []byte("half"))
	held.looked = held.looked.Add(-lookEvery)
	if got := number(); got != 2 {
		t.Errorf("while the key is replaced, certificate %d is shown, want 2", got)
	}
}

func TestPlainHTTPBehindAProxyIsForTheProxyAlone(t *testing.T) {
	b := behindProxies{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}}
	for address, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "2001:db8::1": true, "127.0.0.1": true, "::1": true,
		"192.0.2.1": false, "11.0.0.1": false, "2001:db9::1": false, "::ffff:192.0.2.1": false,
	} {
		if got := b.trusts(&net.TCPAddr{IP: net.ParseIP(address), Port: 1}); got != want {
			t.Errorf("%s is trusted: %v, want %v", address, got, want)
		}
	}
	if b.trusts(&net.UnixAddr{Name: "/tmp/x"}) {
		t.Error("a peer without an address is trusted")
	}
}
