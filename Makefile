# The two commands are `make demo` and `make test`. Both set up what they need first, and are quick the second time.

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test setup runtime lint floors build

NEXTEST := $(shell cargo nextest --version 2>/dev/null | head -n 1)

help:
	@echo 'make demo            sample cameras over real RTSP, the service and its desk, on this machine'
	@echo 'make demo ARGS="--once --json demo.json"   the same, ending after the scripted events'
	@echo 'make test            set-up, lints, floors, every test'
	@echo 'make build           the release binary: target/release/shirong'

setup:
	@deploy/setup.sh

runtime:
	@deploy/onnxruntime.sh

build: setup runtime
	cargo build --release --locked --bin shirong

demo: build
	target/release/shirong demo $(ARGS)

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

floors:
	.ci/floors

test: setup runtime lint floors
ifeq ($(NEXTEST),)
	@echo 'cargo-nextest is not installed (cargo install --locked cargo-nextest); using cargo test'
	cargo test --workspace --locked
else
	cargo test --workspace --locked --doc --quiet
	cargo nextest run --workspace --locked
endif
