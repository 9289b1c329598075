# The two commands are `make demo` and `make test`. Both set up what they need first, and are quick the second time.

.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test setup runtime runtime-openvino runtime-gpu lint floors build train-smoke fuzz fuzz-api rival faults

NEXTEST := $(shell cargo nextest --version 2>/dev/null | head -n 1)

help:
	@echo 'make demo            sample cameras over real RTSP, the service and its desk, on this machine'
	@echo 'make demo ARGS="--once --json demo.json"   the same, ending after the scripted events'
	@echo 'make test            set-up, lints, floors, every test'
	@echo 'make faults          a node broken on purpose: 1000 kills, every write of a scenario failed, 10000 cases through a bad platform,'
	@echo '                     33 faults of cameras; one alone, and what has to be asked for: make faults ARGS="streams | cameras | overload | soak"'
	@echo 'make build           the release binary: target/release/shirong'
	@echo 'make fuzz            every reader of foreign bytes for FUZZ_SECS each (600)'
	@echo 'make fuzz-api        the desk under schemathesis, with every role and with none (installs it)'
	@echo 'make rival           what `shirong bench journey --beside rival` runs in: PyAV, OpenVINO, ONNX Runtime'
	@echo 'make train-smoke     the training recipe on twenty pictures, for seconds (installs PyTorch, which is large)'

setup:
	@deploy/setup.sh

runtime:
	@deploy/onnxruntime.sh

runtime-openvino:
	@deploy/onnxruntime.sh openvino
	@echo 'export SHIRONG_ONNXRUNTIME=$(CURDIR)/.runtime/onnxruntime-openvino/libonnxruntime.so   # then provider = "openvino_bf16"'

# CUDA 13 (cuBLAS, cuDNN, cuRAND) and NVIDIA's driver must be on the machine, and their folders in LD_LIBRARY_PATH.
runtime-gpu:
	@deploy/onnxruntime.sh gpu
	@echo 'export SHIRONG_ONNXRUNTIME=$(CURDIR)/.runtime/onnxruntime-gpu/libonnxruntime.so   # then provider = "cuda"'

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

FUZZ_SECS ?= 600

fuzz: setup
	SHIRONG_FUZZ_SECS=$(FUZZ_SECS) cargo test --workspace --locked --test fuzz -- --nocapture --test-threads 1

fuzz-api: setup target/schemathesis-venv/.made
	SHIRONG_SCHEMATHESIS=$(CURDIR)/target/schemathesis-venv/bin/schemathesis \
		cargo test --workspace --locked --test http -- --ignored --nocapture the_contract_holds_for_every_role

target/schemathesis-venv/.made:
	python3 -m venv target/schemathesis-venv
	target/schemathesis-venv/bin/pip install --quiet 'schemathesis==4.32.5'
	touch $@

faults: setup runtime
	cargo build --locked --bin faults --bin shirong
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

# What the rival of `shirong bench journey --beside rival` runs in.
rival: target/rival-venv/.made

target/rival-venv/.made: benches/rival/requirements.txt
	python3 -m venv target/rival-venv
	target/rival-venv/bin/pip install --quiet --requirement benches/rival/requirements.txt
	touch $@
