# The two main commands are `make demo` and `make test`. scripts/bootstrap installs what they need, or
# names what to install where it cannot.

# Build output is outside the work tree, so a fresh clone reuses what an earlier one has built.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/tidemark/target

.DEFAULT_GOAL := help
.PHONY: help demo test soak check bench bench-peers bench-micro

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Uses the dev profile: a first release build takes some ten minutes on two cores. Dependencies are
# optimised in it nevertheless.
# `make demo ARGS="--once --json"` ends by itself, with a summary for programs as its last line.
demo: ## Start everything in one process, with four sample tenants and a live stream (ARGS=...)
	@scripts/bootstrap
	@scripts/build-progress --bin tidemark
	@exec "$(CARGO_TARGET_DIR)/debug/tidemark" demo $(ARGS)

test: ## Check formatting and lints, then run every test, on a real Kafka and a real PostgreSQL
	@scripts/bootstrap test
	@scripts/kafka-libs >/dev/null
	@scripts/clients
	$(MAKE) --no-print-directory check
	cargo test --workspace

soak: ## Inject faults for ten minutes, and write the log to docs/soak.md
	@scripts/bootstrap test
	@scripts/kafka-libs >/dev/null
	@scripts/soak

check: ## Check formatting, lints, structure, language, and the licences of dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --test tidy

bench: ## Measure all benchmarks, in the release profile (ARGS=--json for programs)
	@scripts/bootstrap test
	@scripts/kafka-libs >/dev/null
	cargo bench --bench measure -- $(ARGS)

# Smaller than `make bench`, because each system runs twice.
bench-peers: ## Measure Kafka Streams and Tidemark on the same topic (ARGS=--json for programs)
	@scripts/bootstrap test
	@scripts/kafka-libs >/dev/null
	cargo bench --bench measure -- peers --jars "$$(scripts/peer-jars)" \
		--customers 200000 --events 400000 $(ARGS)

bench-micro: ## Measure fold and codec with criterion, in the release profile
	@scripts/bootstrap
	cargo bench --bench fold --bench codec
