# make demo   a gateway in front of a sample company, to try
# make test   everything that must hold before a change goes in
# make classes  the ways in which gateways have failed, tried on this one, as a table
# make h2spec conformance to HTTP/2, beside net/http
# make tls-check  what testssl.sh thinks of the demo's TLS
# make bench  the gateway beside other proxies, about half an hour; make bench-smoke is the short form
# make microbench  benchmarks of single packages
# make profile  where the time of the workloads goes, for the compiler
# make soak   the long runs
# make lint   formatting and static checks only

GO          ?= go
STATICCHECK  = $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOFUMPT      = $(GO) run mvdan.cc/gofumpt@v0.12.0
GOVULNCHECK  = $(GO) run golang.org/x/vuln/cmd/govulncheck@v1.1.4
.PHONY: demo test fuzz-door classes h2spec tls-check packages lint vuln bench bench-smoke microbench profile soak stalls build

demo:
	$(GO) run ./cmd/gatehouse demo

# Programs that call methods by name make the linker keep all methods there are:
# a fifth of the binary. The tag leaves out the one of them that gRPC brings. The
# profile tells the compiler what is done often (see make profile); it has a name of
# its own so that tests and other builds, which need not be fast, are not slowed.
build:
	CGO_ENABLED=0 $(GO) build -pgo=cmd/gatehouse/release.pgo -tags grpcnotrace -trimpath -ldflags='-s -w' -o bin/gatehouse ./cmd/gatehouse

# To be made anew when the way of a request has changed; what is out of date costs
# a little speed and nothing else.
PROFILED = plain-1k,plain-16k,post-16k,tls-1k,h2-1k,jwt,rate,gate,mask,full
profile:
	cd bench && $(GO) run . profile -rows $(PROFILED) -time 6s -out .bin/profiles
	cp bench/.bin/profiles/all.pgo cmd/gatehouse/release.pgo

# The race detector is slow and has memory of its own: what counts by the number of
# tries, or by the memory of a process, runs without it once more.
test: packages bin/pebble bin/busboy bin/oidc-provider lint build
	$(GO) test -race -timeout 15m ./...
	$(GO) test -timeout 5m ./policies/opa/...
	$(GO) test -timeout 5m -run 'TestPolicySwapsUnderLoad|TestFloodsOfEachKind' ./gateway
	$(MAKE) --no-print-directory fuzz-door
	bin/gatehouse demo --check
	cd bench && $(GO) vet ./... && $(GO) test ./...
	$(MAKE) --no-print-directory bench-smoke

# What reads the first bytes of strangers, 10 s each. A finding stays in testdata
# and fails the second try at once; a search that was cut off at its end does not.
fuzz-door:
	@for f in gateway/edge.FuzzPath gateway/edge.FuzzHost gateway/edge.FuzzQuery gateway/edge.FuzzHeaders gateway/edge.FuzzForwardedFor \
		middleware/authn.FuzzToken middleware/authn.FuzzClaims middleware/authn.FuzzProof; do \
		run="$(GO) test -run ^$$ -fuzz ^$${f##*.}\$$ -fuzztime 10s -fuzzminimizetime 100x ./$${f%.*}"; \
		echo "$$f"; $$run || $$run || exit 1; \
	done

# Runs tests while their process is stopped for 1.7 s of every 5.7 s, as a machine may do
# that is busy with others: no test depends on how fast it is.
STALLED ?= ./gateway ./cmd/gatehouse
stalls:
	@dir=$$(mktemp -d); trap 'rm -rf $$dir' EXIT; \
	for pkg in $$($(GO) list $(STALLED)); do \
		rm -f $$dir/tests; $(GO) test -race -c -o $$dir/tests $$pkg || exit 1; \
		[ -e $$dir/tests ] || continue; \
		(cd $$($(GO) list -f '{{.Dir}}' $$pkg) && exec $$dir/tests -test.timeout 40m) & tests=$$!; \
		(while sleep 4 && kill -STOP $$tests; do sleep 1.7; kill -CONT $$tests; done) 2>/dev/null & stalls=$$!; \
		echo $$pkg; wait $$tests; how=$$?; kill $$stalls; [ $$how = 0 ] || exit $$how; \
	done

classes:
	@$(GO) test -count 1 -v -run '^TestClasses$$' ./gateway | grep -v '^ *\(=== \|--- PASS\)'

h2spec:
	GATEHOUSE_H2SPEC=1 $(GO) test -count 1 -v -run '^TestH2spec$$' ./gateway

# Prints every finding above LOW, and fails where there is one that is not about
# the demo's own certificate, which nobody vouches for. It takes one minute, or several on a busy machine,
# and needs testssl.sh (Debian: testssl.sh); the port must be free.
TLS_PORT ?= 18443
tls-check: build
	@testssl=$$(command -v testssl || command -v testssl.sh) || { echo "install testssl.sh first" >&2; exit 1; }; \
	out=$$(mktemp -d); \
	bin/gatehouse demo --address 127.0.0.1:$(TLS_PORT) --admin 127.0.0.1:0 >$$out/demo 2>&1 & demo=$$!; \
	trap 'kill $$demo; wait $$demo; rm -rf $$out' EXIT; \
	for i in 1 2 3 4 5 6 7 8 9 10; do grep -qs '^Gatehouse is ready' $$out/demo && break; sleep 1; done; \
	kill -0 $$demo || { cat $$out/demo; exit 1; }; \
	$$testssl --quiet --color 0 --warnings batch --ip one -p -s -f -P -S -h -U --csvfile $$out/findings.csv localhost:$(TLS_PORT) >$$out/log; \
	grep -q ' Done ' $$out/log || { cat $$out/log; exit 1; }; \
	awk -F'","' '{ n[$$4]++ } $$4 ~ /MEDIUM|HIGH|CRITICAL|FATAL/ { print $$4, substr($$1, 2) ": " $$5; if ($$1 !~ /^"cert_/) bad++ } \
		END { print n["OK"] " good, " n["INFO"] " to know, " n["LOW"]+0 " low; " bad+0 " above that are not the certificate'"'"'s own"; exit bad > 0 }' $$out/findings.csv

# The tests need a C compiler (race detector), a Redis server, ClamAV's daemon,
# two parsers of forms that backends use: Django's, and busboy of Node, and an
# OpenID provider, oidc-provider, which needs Node 22 or a late 20. Debian
# packages are installed where that is possible; elsewhere the command is printed.
# Tests that lack a component are skipped loudly, and fail in CI.
packages:
	@missing=; \
	command -v gcc >/dev/null || missing="gcc libc6-dev"; \
	command -v redis-server >/dev/null || missing="$$missing redis-server"; \
	[ -x /usr/sbin/clamd ] || command -v clamd >/dev/null || missing="$$missing clamav-daemon"; \
	/usr/bin/python3 -c 'import django' 2>/dev/null || missing="$$missing python3-django"; \
	command -v node >/dev/null || missing="$$missing nodejs"; \
	command -v npm >/dev/null || missing="$$missing npm"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	else echo "install what is missing with: sudo apt-get install$$missing" >&2; fi

# An ACME authority to test against. Without it, and without a network to get it,
# those tests are skipped loudly, and fail in CI.
bin/pebble:
	-GOBIN=$(CURDIR)/bin $(GO) install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.10.1

bin/busboy:
	-npm install --prefix bin/busboy --ignore-scripts --no-audit --no-fund --silent busboy@1.6.0

# An OpenID provider to test against, likewise.
bin/oidc-provider:
	-npm install --prefix bin/oidc-provider --ignore-scripts --no-audit --no-fund --silent oidc-provider@9.13.3

lint:
	@out="$$($(GOFUMPT) -l .)"; if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...

# Needs the vulnerability database, so it is not part of test.
vuln:
	$(GOVULNCHECK) ./...

# What is missing is installed where that is possible: Debian packages as root,
# Go programs into bench/.bin. BENCH has the runner's flags, such as
# BENCH="-rows plain,jwt -rounds 3"; `cd bench && go run . -h` lists them.
bench:
	cd bench && $(GO) run . -install -out results $(BENCH)

# A few rows, a second each: it fails on wrong answers, never on slow ones.
bench-smoke:
	cd bench && $(GO) run . -smoke $(BENCH)

microbench:
	$(GO) test -run '^$$' -bench . -benchmem ./...
	GATEHOUSE_BENCH=1 $(GO) test -count 1 -run '^Test(Ratios|Costs)$$' -v ./middleware/mask/redact

# Fuzz targets, one after another, and the race detector many times over.
FUZZTIME ?= 5m
soak:
	@for pkg in $$($(GO) list ./...); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
		done; \
	done
	GATEHOUSE_SOAK=1 $(GO) test -count 1 -timeout 30m -v -run '^TestFloodsOfEachKind$$' ./gateway
	GATEHOUSE_SOAK=1 $(GO) test -count 1 -timeout 60m -v -run '^TestSoak$$' ./gateway
	GATEHOUSE_SOAK=1 $(GO) test -count 1 -timeout 30m -v -run '^TestTenMillion$$' ./middleware/ratelimit
	GATEHOUSE_SOAK=1 $(GO) test -race -count 20 -timeout 4h -skip '^Test(FloodsOfEachKind|TenMillion|Soak)$$' ./gateway/... ./middleware/...
