# The commands of this repository; `make help` lists them. Everything that needs the environment
# runs under toolchain/run.sh, which becomes the command: Ctrl-C reaches it cleanly.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STACK ?= dev
TIER ?= ci
WHAT ?= certificates
CASE ?= all
OUT := out/$(STACK)
# `make report RUN=<id>` names a run; the recipes' own $(RUN) is how they run a command.
ONE := $(if $(filter command,$(origin RUN)),$(RUN))
override RUN := STACK=$(STACK) toolchain/run.sh

# Lists every target that carries a `##` comment.
.PHONY: help
help: ## this list
	@echo "usage: make TARGET [STACK=dev] [TIER=smoke|ci|release] [GATE=result.json] [WHAT=…] [PURGE=1] [YES=1]"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

.PHONY: setup
setup: ## install and build what is missing: engine, Pulumi, Python environment, images
	@toolchain/setup.sh

.PHONY: env
env: ## print the environment; use: eval "$(make -s env)"
	@STACK=$(STACK) toolchain/run.sh --print-env

.PHONY: doctor
doctor: ## check that this machine can hold the stack
	@$(RUN) python -m operations doctor --stack $(STACK)

.PHONY: images
images: ## assemble and build the images that the engine lacks
	@$(RUN) python -m operations images

.PHONY: up
up: ## bring the stack up and wait until it is healthy
	@$(RUN) python -m operations up --stack $(STACK)

.PHONY: status
status: ## show each service's health and the endpoints
	@$(RUN) python -m operations status --stack $(STACK)

.PHONY: bench
bench: ## train and serve on the stack, write result.json (TIER=smoke|ci|release); GATE=, WINDOW=, SERIES=: see docs
	@$(RUN) python -m benchmark run --stack $(STACK) --tier $(TIER) --out $(OUT) \
		$(if $(WORKLOADS),--workloads "$(WORKLOADS)") $(if $(GATE),--gate "$(GATE)") \
		$(if $(WINDOW),--window "$(WINDOW)") $(if $(SERIES),--series "$(SERIES)") \
		$(if $(DURATION),--expected-duration "$(DURATION)")

.PHONY: bench-abba
bench-abba: ## train commit BASE= and this working tree in turns on this host: is it slower or worse?
	@$(RUN) python -m benchmark abba $(BASE) --tier $(if $(filter $(origin TIER),file),smoke,$(TIER))

.PHONY: faults
faults: ## kill a worker, a node and the head during training; CASE=worker|node|driver|head
	@$(RUN) python -m benchmark faults --stack $(STACK) --tier $(TIER) --case $(CASE) --out $(OUT)

.PHONY: report
report: ## make report.html of the newest complete run, or of RUN=<id>
	@$(RUN) python -m benchmark report --stack $(STACK) $(if $(ONE),--run "$(ONE)")

.PHONY: runs
runs: ## list the runs of the stack, newest first
	@$(RUN) python -m benchmark runs --stack $(STACK)

.PHONY: policy
policy: ## check the stack against the policies; writes out/policy.sarif (waived faults as notes) and out/policy.junit.xml
	@$(RUN) python -m operations policy --stack $(STACK)

.PHONY: rotate
rotate: ## new certificates, or WHAT=all|s3/client,vault/writer,… (see docs/rotation.md)
	@$(RUN) python -m operations rotate --stack $(STACK) --what "$(WHAT)" $(if $(YES),--yes)

.PHONY: sbom
sbom: ## write the bill of materials of each image (CycloneDX 1.6) into out/<stack>/sbom
	@$(RUN) python -m operations sbom --stack $(STACK) --out $(OUT)

.PHONY: audit
audit: ## try on the running stack what is declared; writes audit.json and audit.html
	@$(RUN) python -m operations audit --stack $(STACK) --out $(OUT)

.PHONY: destroy
destroy: ## remove the stack; data volumes stay unless PURGE=1 (YES=1 does not ask)
	@$(RUN) python -m operations destroy --stack $(STACK) $(if $(PURGE),--purge) $(if $(YES),--yes)

.PHONY: demo
demo: STARTED := $(shell date +%s)
demo: ## setup, up, bench and report in one go
	@$(MAKE) setup
	@$(MAKE) up
	@$(MAKE) bench
	@$(MAKE) report
	@echo "demo: $$(( $$(date +%s) - $(STARTED) )) s from the first step to the report"

.PHONY: bench-lifecycle
bench-lifecycle: ## time up, second up, drift check and destroy, and training against bare, on a stack of its own
	@$(RUN) python -m operations bench-lifecycle

.PHONY: lint
lint: ## ruff, mypy strict, the import contract, shellcheck
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache
	@if command -v shellcheck >/dev/null; then shellcheck -x toolchain/*.sh .ci/run; fi

.PHONY: format
format: ## format the Python code and sort its imports
	@$(RUN) ruff check --fix --select I .
	@$(RUN) ruff format .

.PHONY: test-unit
test-unit: ## unit and policy tests: no Docker, no stack
	@$(RUN) pytest -n auto tests/unit tests/policy

.PHONY: test
test: setup ## unit and policy tests, then the acceptance tests on a stack of their own
	@$(MAKE) test-unit
	@STACK=test toolchain/run.sh toolchain/acceptance.sh

.PHONY: test-s3
test-s3: ## the S3 suite on versitygw and on MinIO without its fence; SERVERS=stack adds the running stack
	@S3_SERVERS="$(or $(SERVERS),versitygw,minio)" $(RUN) pytest -q tests/s3

.PHONY: lock
lock: ## resolve every requirements.in into a hash-locked requirements.txt
	@toolchain/run.sh toolchain/lock.sh

# A target that does not exist: the nearest one.
.DEFAULT:
	@toolchain/unknown-target '$@' $(MAKEFILE_LIST)
