# Everything a contributor types. `make` lists it.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.1.4
PLAYGROUND  := graph/playground
AUDIT       := audit
MINIPROGRAM := miniprogram
BENCH       := bench
LOGS        := $(CURDIR)/.test-logs

.DEFAULT_GOAL := help
.PHONY: help run test check generate playground fmt lint vuln race outage secrets browser audit fuzz miniprogram demo bench bench-small

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: playground ## run the server, with nothing configured
	go run .

test: ## all tests; the PostgreSQL half needs PostgreSQL installed or TEST_DATABASE_URL
	go test ./...
	$(MAKE) miniprogram

check: playground generate-diff fmt lint vuln audit race outage secrets bench-small browser demo ## everything CI does besides the tests

generate: $(MINIPROGRAM)/node_modules/.package-lock.json ## write the code that comes from schema.graphqls
	go run ./graph/generate
	npm run --silent --prefix $(MINIPROGRAM) generate

miniprogram: $(MINIPROGRAM)/node_modules/.package-lock.json ## the Mini Program package: types and tests
	npm test --silent --prefix $(MINIPROGRAM)

$(MINIPROGRAM)/node_modules/.package-lock.json: $(MINIPROGRAM)/package-lock.json
	npm ci --silent --prefix $(MINIPROGRAM)

playground: $(PLAYGROUND)/assets/LICENSES.txt ## install GraphiQL's files, so that it works without a network

$(PLAYGROUND)/assets/LICENSES.txt: $(PLAYGROUND)/package-lock.json $(PLAYGROUND)/copy.mjs
	@npm run --silent --prefix $(PLAYGROUND) assets >/dev/null && touch $@ \
		|| echo "GraphiQL's files could not be installed; the page will load them from a CDN."

.PHONY: generate-diff
generate-diff: generate ## fail when generated code is not what the schema makes
	git add --intent-to-add -- $(MINIPROGRAM)/demo/miniprogram_npm
	git diff --exit-code -- graph $(MINIPROGRAM)/src/sdk.ts $(MINIPROGRAM)/trusted-documents.json $(MINIPROGRAM)/demo/miniprogram_npm

fmt: ## fail on unformatted Go
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: ## vet and staticcheck
	go vet ./...
	go run $(STATICCHECK) ./...
	cd $(BENCH) && go vet ./... && go run $(STATICCHECK) ./...

vuln: ## known vulnerabilities, where their database can be reached
	@out=$$(go run $(GOVULNCHECK) ./... 2>&1); code=$$?; echo "$$out" | tail -n 20; \
	if [ $$code -ne 0 ] && echo "$$out" | grep -qE 'vuln\.go\.dev|dial tcp|no such host|Forbidden'; then \
		echo "*** govulncheck COULD NOT REACH its database: nothing was checked"; else exit $$code; fi

browser: playground ## walk through GraphiQL in headless Chromium, against a server of its own
	go build -o .browser/wxpass .
	@cd .browser && rm -rf data && { ADDR=127.0.0.1:18080 LOG_LEVEL=warn ./wxpass >/dev/null 2>&1 & pid=$$!; \
		for i in 1 2 3 4 5 6 7 8 9 10; do curl -sf http://127.0.0.1:18080/readyz >/dev/null && break; sleep 0.5; done; \
		node ../$(PLAYGROUND)/browser.mjs http://127.0.0.1:18080 .; code=$$?; kill $$pid; wait $$pid; exit $$code; }

demo: $(MINIPROGRAM)/node_modules/.package-lock.json ## walk through the Mini Program in headless Chromium, against a server of its own
	npm run --silent --prefix $(MINIPROGRAM) check:browser

race: ## all tests under the race detector, their logs kept
	@rm -rf $(LOGS) && mkdir $(LOGS)
	WXPASS_TEST_LOGS=$(LOGS) go test -race -count=1 ./...

secrets: race ## search all that make race logged, and make outage since, for secrets
	SEARCH_LOGS=$(LOGS) go test -count=1 -v -run '^TestNoSecretIsInTheLogs$$' ./testlog

audit: ## hold a server of its own to GraphQL over HTTP, all 61 checks of graphql-http's suite
	@npm ci --silent --prefix $(AUDIT)
	@go build -o $(AUDIT)/node_modules/wxpass .
	@node $(AUDIT)/audit.mjs $(AUDIT)/node_modules/wxpass

outage: ## ride out an outage of WeChat, 10,000 connections, slow clients and rolling restarts, in full: eight minutes
	@mkdir -p $(LOGS)
	OUTAGE=60s WXPASS_TEST_LOGS=$(LOGS) go test -count=1 -v -parallel 1 -timeout 20m -run '^TestOutage' .

fuzz: ## a minute of random requests, and one of random documents
	go test -run '^$$' -fuzz FuzzTransport -fuzztime 60s -fuzzminimizetime 100x ./graph
	go test -run '^$$' -fuzz FuzzDocument -fuzztime 60s -fuzzminimizetime 100x ./graph

bench: ## measure against the floor: BENCH_FLAGS="--cases me --connections 32" (see bench/README.md)
	cd $(BENCH) && go run . $(BENCH_FLAGS)

bench-small: ## the bench on little data, where only right answers count
	cd $(BENCH) && go test ./... && go run . --small
