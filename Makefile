# The project's commands. "make" alone lists them.

SHELL := /bin/sh
GO ?= go
# How long each fuzz target runs under "make fuzz".
FUZZTIME ?= 20s
# How long "make test-chaos" makes trouble; one of each kind takes about two and a half minutes.
CHAOS ?= 5m
# Which benchmarks "make bench" runs, how often and how long.
BENCH ?= .
BENCHTIME ?= 1s
# How many jobs "make bench-load" queues.
JOBS ?= 10000
# How often "make bench-peers" measures each program.
RUNS ?= 5

# What the speed of a conversion depends on, and the command that keeps it on one core (Linux: the first one that this
# process may use).
ENGINE = ./internal/pdfium ./internal/layout ./internal/export ./internal/engine
ONE_CORE = $(shell command -v taskset >/dev/null && sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/taskset -c \1/p' /proc/self/status)

.DEFAULT_GOAL := help
.PHONY: help demo test test-chaos lint build run bench bench-quality bench-peers bench-load fuzz openapi

help: ## list the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## convert a PDF through the real service and show the result: make demo [FILE=my.pdf]
	@scripts/prepare.sh postgres
	@$(GO) run ./cmd/ragify demo $(if $(FILE),"$(FILE)")

test: ## all tests, race detector on
	@scripts/prepare.sh postgres cc versitygw
	CGO_ENABLED=1 $(GO) test -race -timeout 9m ./...

test-chaos: ## minutes of trouble: nodes, Postgres and bucket killed under load: make test-chaos [CHAOS=5m]
	@scripts/prepare.sh postgres versitygw
	$(GO) test -count=1 -v -timeout 2h -run '^TestChaos$$' ./internal/clustertest -chaos $(CHAOS)

lint: ## format, vet, static analysis, tidy modules
	@unformatted=$$($(GO) tool gofumpt -l .) && if [ -n "$$unformatted" ]; then echo "not formatted (go tool gofumpt -w .):" $$unformatted; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool errcheck -exclude .errcheck -ignoregenerated -ignoretests ./...
	$(GO) tool revive -config revive.toml -set_exit_status ./...
	$(GO) mod tidy -diff

build: ## a static binary, bin/ragify
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ragify ./cmd/ragify

run: ## run the service, with its data under ./data
	@scripts/prepare.sh postgres
	$(GO) run ./cmd/ragify serve

bench: ## speed, the engine's on one core: make bench [BENCH=Convert] [BENCHTIME=3s]
	@echo "Engine: a warm child process writes all text formats, on $(if $(ONE_CORE),one core,all cores); wall time, and its peak resident memory."
	$(ONE_CORE) $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -timeout 1h $(ENGINE)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) $$($(GO) list ./internal/... | grep -vE '/(pdfium|layout|export|engine)$$')

bench-quality: ## quality on public documents, and its change since the baseline: make bench-quality [UPDATE=1]
	$(GO) run ./internal/quality -shared "$${RAGIFY_SHARED:-../shared}" $(if $(UPDATE),-update) all

bench-peers: build ## speed and quality beside other programs, in the same run: make bench-peers [RUNS=5]
	jar=$$(scripts/peer.sh) || jar=; \
	$(GO) run ./internal/quality -shared "$${RAGIFY_SHARED:-../shared}" -peers -ragify bin/ragify -peer-jar "$$jar" -runs $(RUNS)

bench-load: ## a full queue on three nodes: submissions, jobs a second, statements a job: make bench-load [JOBS=10000]
	@scripts/prepare.sh postgres
	$(GO) test -run '^TestLoad$$' -count 1 -v -timeout 1h ./internal/clustertest -load $(JOBS)

fuzz: ## every fuzz target for FUZZTIME
	@set -e; for dir in $$($(GO) list -f '{{.Dir}}' ./...); do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go 2>/dev/null | cut -c6-); do \
	    echo "$$target in $$dir"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$dir; \
	  done; \
	done

openapi: ## generate the server's types from api/openapi.yaml
	$(GO) generate ./api
