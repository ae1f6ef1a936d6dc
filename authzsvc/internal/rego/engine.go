package rego

import (
	"context"
	"sync"
	"sync/atomic"
)

// Engine holds the bundle in force. A decision takes it once and asks that one throughout, so that the answer and the digest in its record
// belong together. It is safe for concurrent use.
type Engine struct {
	config  Config
	current atomic.Pointer[Bundle]

	mu sync.Mutex // one Reload at a time: the last to be called is the one in force
}

// NewEngine loads modules under config. An Engine without a bundle does not exist.
func NewEngine(ctx context.Context, modules map[string]string, config Config) (*Engine, error) {
	e := &Engine{config: config}
	if err := e.Reload(ctx, modules); err != nil {
		return nil, err
	}
	return e, nil
}

// Bundle returns the bundle in force.
func (e *Engine) Bundle() *Bundle { return e.current.Load() }

// Reload puts the bundle of modules in force at once, or keeps the old one and returns why.
func (e *Engine) Reload(ctx context.Context, modules map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := e.Load(ctx, modules)
	if err != nil {
		return err
	}
	e.current.Store(b)
	return nil
}

// Load checks and compiles modules as Reload does, and puts nothing in force.
func (e *Engine) Load(ctx context.Context, modules map[string]string) (*Bundle, error) {
	return Load(ctx, modules, e.config)
}

// Install puts a bundle in force that Load made. It cannot fail.
func (e *Engine) Install(b *Bundle) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current.Store(b)
}
