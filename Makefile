# The two commands are `make demo` and `make test`. Both set up what they need first, and are quick the second time.

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test faults setup runtime runtime-openvino lint floors build train-smoke

NEXTEST := $(shell cargo nextest --version 2>/dev/null | head -n 1)

help:
	@echo 'make demo            sample cameras over real RTSP, the service and its desk, on this machine'
	@echo 'make demo ARGS="--once --json demo.json"   the same, ending after the scripted events'
	@echo 'make test            set-up, lints, floors, every test'
	@echo 'make faults          a node broken on purpose: 1000 kills, every write of a scenario failed, 10000 cases through a bad platform'
	@echo 'make build           the release binary: target/release/shirong'
	@echo 'make train-smoke     the training recipe on twenty pictures, for seconds (installs PyTorch, which is large)'

setup:
	@deploy/setup.sh

runtime:
	@deploy/onnxruntime.sh

runtime-openvino:
	@deploy/onnxruntime.sh openvino
	@echo 'export SHIRONG_ONNXRUNTIME=$(CURDIR)/.runtime/onnxruntime-openvino/libonnxruntime.so   # then provider = "openvino_bf16"'

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

faults: setup
	cargo build --locked --bin faults
	target/debug/faults $(ARGS)

train-smoke: setup runtime target/train-venv/.made
	rm -rf target/train-smoke
	target/train-venv/bin/python models/train/train.py --smoke --out target/train-smoke
	cargo build --locked --bin shirong
	target/debug/shirong models check target/train-smoke/smoke
	target/debug/shirong models check target/train-smoke/smoke-int8

target/train-venv/.made: models/train/requirements.txt
	python3 -m venv target/train-venv
	target/train-venv/bin/pip install --quiet --requirement models/train/requirements.txt
	touch $@
