# What each verb does stands behind it; make help lists them.

.PHONY: help run build test race lint generate golden fuzz bench docs deps
.DEFAULT_GOAL := help

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

run: ## start the server on 127.0.0.1:8765, with its data in ./nexus-data
	go run ./cmd/nexus serve

build: ## build bin/nexus
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o bin/nexus ./cmd/nexus

test: deps lint ## everything that must hold: format, vet, analyzers, every test, then the concurrent ones under the race detector
	go run ./internal/gotest -timeout 20m ./...
	$(MAKE) race

race: ## the tests under the race detector, without long suites that ran already: SpiceDB's own, PostgreSQL's, and what kills processes
	go run ./internal/gotest -race -timeout 20m -skip 'SuiteOfSpiceDB$$|SuiteOnPostgres$$|Kill' $(RACY)

# packages in which goroutines share something
RACY = ./apiserver/... ./authzsvc/... ./cmd/nexus/internal/node ./internal/sqldb/... ./storage/...

lint: ## gofmt, go vet, and the analyzer that keeps grants honest
	@test -z "$$(gofmt -l .)" || { echo "gofmt would change:"; gofmt -l .; exit 1; }
	go vet ./...
	go run ./internal/grantcheck/cmd/grantcheck ./...

generate: ## rewrite generated code from schema/nexus.zed
	go generate ./schema

golden: ## rewrite golden files; review the difference as you would an API
	go test $$(grep -rl 'flag.Bool("update"' --include='*_test.go' . | xargs -n 1 dirname) -update

fuzz: ## each fuzz target for half a minute
	@for f in $$(grep -rlE '^func Fuzz' --include='*_test.go' .); do \
		for t in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9]+).*/\1/p' $$f); do \
			echo "$$t in $$(dirname $$f)"; go test -run '^$$' -fuzz "^$$t$$" -fuzztime 30s $$(dirname $$f) || exit 1; \
		done; done

bench: ## measure the budgets in process and over loopback, and print a table
	go run ./cmd/nexus bench

docs: ## rewrite docs/operations.md from the table of operations
	go run ./cmd/nexus operations > docs/operations.md

deps: ## install what the tests need beside Go modules; says what it installs
	@./scripts/deps.sh
	@./scripts/conformance.sh >/dev/null || test "$$NEXUS_CI" != 1
