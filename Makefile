# What one does with this repository. The work is in scripts/, where every step says its name and its time.
SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help build release up test fuzz bench lint clean
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# The promised paths are below target/, whatever the caller's cargo is set to.
export CARGO_TARGET_DIR := $(CURDIR)/target

help: ## List these targets
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r name text; do printf 'make %-8s %s\n' "$$name" "$$text"; done

build: ## Build target/neural_router.wasm, target/release/nr and target/release/nr-simulator
	@scripts/build.sh

release: ## Make a release in target/dist: filter, image, nr, bills of materials, digests
	@scripts/release.sh

up: ## Run the gateway in the foreground; ARGS="--config FILE --workers N" go to `nr up`
	@scripts/up.sh $(ARGS)

test: ## Run every test: Rust, real Envoy, and docker compose where there is a Docker engine
	@scripts/test.sh

fuzz: ## Fuzz every protocol; ARGS="SECONDS TARGET…", 60 seconds for each target without
	@scripts/fuzz.sh $(ARGS)

bench: ## Measure CPU per request against bare Envoy; leaves target/bench/summary.json
	@scripts/bench.sh $(ARGS)

lint: ## Check formatting, clippy (native and wasm) and the scripts
	@scripts/lint.sh

clean: ## Remove everything that was built or installed below target/
	@rm -rf target
