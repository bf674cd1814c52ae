GO ?= go
BIN := bin/hopper
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PACKAGES := ./...
FUZZTIME ?= 60s

.PHONY: build test lint bench fuzz demo cities places

build:
	$(GO) build -trimpath -ldflags "-X main.version=$(VERSION)" -o $(BIN) ./cmd/hopper

test: lint
	$(GO) test -race $(PACKAGES)

lint:
	@unformatted=$$(gofmt -l adapters cmd pipeline sinks fixtures); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)

bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

# Every fuzz target for $(FUZZTIME), one after the other.
fuzz:
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

# Imports a fixture into an embedded sandbox and prints what arrived.
demo: build
	$(BIN) import --sandbox --state "$$(mktemp -d)" fixtures/umami/cloud-2026.zip
