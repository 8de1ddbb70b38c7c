# make demo             try it: builds, starts a throw-away PostgreSQL and the gateway before it, prints psql lines
# make test             set-up, build, all tests
# make build            the release binary, .build/release/pggateway
# make bench            the gateway and PgBouncer side by side; BENCH="--quick" for a first look
# make order            measures which functions the work calls, and in what order the linker shall put them
# make docs             the reference pages and the annotated sample, written by the binary itself
# make provider-guide   the guide and reference for writing a provider, as web pages in .build/provider-guide
# make lint             shell and Python syntax, the format of the Swift sources
# make clean            removes what the build made

BINARY := .build/release/pggateway
BENCH ?= --write
export PATH := $(PATH):/opt/swift/usr/bin

.PHONY: demo test build binary bench order docs provider-guide lint clean

demo:
	@scripts/install build demo
	@$(MAKE) --no-print-directory binary
	@$(BINARY) demo

test:
	@scripts/install build test
	@scripts/test

build:
	@scripts/install build
	@$(MAKE) --no-print-directory binary

binary:
	@scripts/build

bench:
	@scripts/install build bench
	@$(MAKE) --no-print-directory binary
	@cd Benchmarks && python3 -m bench $(BENCH)

order:
	@scripts/install build bench order
	@scripts/build -Xlinker -Map="$$PWD/.build/link.map"
	@cd Benchmarks && python3 -m bench.function_order ../.build/link.map ../scripts/function-order.txt
	@$(MAKE) --no-print-directory binary

docs: build
	@set -e; page() { $(BINARY) reference $$1 > Documentation/$$2.new; mv Documentation/$$2.new Documentation/$$2; }; \
	page settings settings.md; page sample ../pggateway.sample.yaml; page console console.md; page audit audit.md

# The plug-in is a dependency of nothing else: what it adds to the resolved versions goes again.
provider-guide:
	@scripts/install build
	@test ! -e Package.resolved || cp Package.resolved .build/Package.resolved; \
	PGGATEWAY_DOCC=1 swift package --allow-writing-to-directory .build/provider-guide generate-documentation \
	    --target AuthProviders --warnings-as-errors --transform-for-static-hosting --output-path .build/provider-guide; \
	status=$$?; test ! -e .build/Package.resolved || mv .build/Package.resolved Package.resolved; exit $$status

lint:
	@for script in scripts/build scripts/install scripts/test .ci/run; do bash -n $$script || exit; done
	sh -n Tests/EndToEnd/install.sh
	python3 -m compileall -q Benchmarks/bench scripts/count-results Tests/EndToEnd
	test ! -f .swift-format || swift format lint --strict --parallel --recursive Sources Tests

clean:
	swift package clean
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
