# The commands of this repository; `make help` lists them. Everything that needs the environment
# runs under toolchain/run.sh, which becomes the command: Ctrl-C reaches it cleanly.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

STACK ?= dev
TIER ?= ci
CASE ?= all
OUT := out/$(STACK)
# `make report RUN=<id>` names a run; the recipes' own $(RUN) is how they run a command.
ONE := $(if $(filter command,$(origin RUN)),$(RUN))
override RUN := STACK=$(STACK) toolchain/run.sh
define newline


endef
# A variable of the command line, as one word of the shell, and as it was typed: make would take `$HOME` for its own
# `$H`, and a line break for the end of a command. What the caller's environment holds under such common names is not
# meant.
given = $(if $(filter command,$(origin $(1))),'$(subst $(newline),'$$'\n'',$(subst ','\'',$(value $(1))))')
option = $(if $(call given,$(2)),$(1)=$(call given,$(2)))

# toolchain/help.awk makes its list from this file: `##@` starts a group, `##` describes a target, `##=` a variable.
##@ Set up
.PHONY: help
help: ## list every target and variable
	@echo 'usage: make TARGET [VARIABLE=value …]'
	@exec 3<&1; size=$$(stty size <&3 2>/dev/null || echo "0 80"); awk -v width="$${size#* }" -f toolchain/help.awk $(MAKEFILE_LIST)

.PHONY: setup
setup: ## install or build whatever is missing: engine, Pulumi, Python environment, images
	@toolchain/setup.sh

.PHONY: doctor
doctor: ## check whether this machine can hold the stack; changes nothing
	@$(RUN) python -m operations doctor --stack $(STACK)

.PHONY: images
images: ## build the images that the engine does not have yet
	@$(RUN) python -m operations images

.PHONY: env
env: ## print the environment as export lines: eval "$(make -s env)"; ACCESS=1: also that of ray, aws and mlflow
	@STACK=$(STACK) toolchain/run.sh --print-env
	@$(if $(call given,ACCESS),$(RUN) python -m operations access --stack $(STACK) --exports,:)

##@ Run a stack
.PHONY: demo
demo: STARTED := $(shell date +%s)
demo: ## setup, up, bench and report in one go
	@$(MAKE) setup
	@$(MAKE) up
	@$(MAKE) bench
	@$(MAKE) report
	@echo "demo: $$(( $$(date +%s) - $(STARTED) )) s from the first step to the report"

.PHONY: up
up: ## bring the stack up and wait until it is healthy
	@$(RUN) python -m operations up --stack $(STACK)

.PHONY: status
status: ## show services, jobs, nodes, backup, audit and more in one look; WATCH=1 goes on, JSON=1 for programs
	@$(RUN) python -m operations status --stack $(STACK) $(if $(call given,JSON),--json) $(if $(call given,WATCH),--watch)

.PHONY: open
open: ## open the front door, the page that shows how the stack is doing
	@$(RUN) python -m operations open --stack $(STACK) $(if $(filter command% environment%,$(origin OUT)),--out $(OUT))

.PHONY: node
node: ## check the compute nodes, or NODE, as before each job; WAIVE="reason" gives it ranks all the same
	@$(RUN) python -m operations node --stack $(STACK) --out $(OUT) $(call option,--node,NODE) $(call option,--waive,WAIVE)

.PHONY: alerts
alerts: ## list the alerts that fire, and what to do; TEST=1: try the receivers; SILENCE=Name FOR=2h BECAUSE="…"; END=…
	@$(RUN) python -m operations alerts --stack $(STACK) $(if $(call given,TEST),--test) \
		$(call option,--silence,SILENCE) $(call option,--for,FOR) $(call option,--because,BECAUSE) $(call option,--end,END)

.PHONY: grafana
grafana: ## write the dashboards for an own Grafana to out/<stack>/grafana
	@$(RUN) python -m operations grafana --stack $(STACK) --out $(OUT)

.PHONY: accept
accept: ## test the GPUs of this machine, before a stack is built on them; writes accept.json
	@$(RUN) python -m operations accept --stack $(STACK) --out $(OUT) $(call option,--seconds,SECONDS)

.PHONY: usage
usage: ## show the CPUs and the memory that each service uses over a minute; writes usage.json
	@$(RUN) python -m operations usage --stack $(STACK) --out $(OUT)

.PHONY: logs
logs: ## follow the log of a service, S=load-balancer, or of a job, JOB=train, its first run JOB=train@1; FIND="words" SINCE=12h searches
	@$(RUN) python -m operations logs --stack $(STACK) $(or $(call option,--service,S),$(call option,--service,SERVICE)) \
		$(call option,--job,JOB) $(call option,--tail,TAIL) $(call option,--find,FIND) $(call option,--since,SINCE)

.PHONY: exec
exec: ## a shell in the container of a service, S=compute-node1, or the command CMD
	@$(RUN) python -m operations exec --stack $(STACK) $(call option,--service,S) $(call option,--cmd,CMD)

.PHONY: restart
restart: ## restart a service gracefully and wait until it is healthy: S=tracking
	@$(RUN) python -m operations restart --stack $(STACK) $(call option,--service,S)

.PHONY: top
top: ## show the CPUs and the memory of each service now
	@$(RUN) python -m operations top --stack $(STACK)

.PHONY: backup
backup: ## run every backup job now, or JOB, and wait for the end
	@$(RUN) python -m operations backup --stack $(STACK) $(call option,--job,JOB)

.PHONY: restore
restore: ## put the newest backup, or that of AT, back into an emptied stack: all of it or SOURCES; YES=1 does not ask
	@$(RUN) python -m operations restore --stack $(STACK) $(call option,--sources,SOURCES) \
		$(call option,--at,AT) $(if $(call given,YES),--yes)

.PHONY: rebuild
rebuild: ## set up and bring a stack back from a copy of its vault: FROM=/mnt/copy; YES=1 does not ask
	@[ -n "$(FROM)" ] || { echo "error: no copy given; fix: make rebuild FROM=/mnt/copy-of-the-vault" >&2; exit 2; }
	@$(MAKE) setup
	@$(RUN) python -m operations rebuild --stack $(STACK) --from $(or $(call given,FROM),"") $(call option,--at,AT) \
		$(if $(call given,DAMAGED),--damaged) $(if $(call given,YES),--yes)

.PHONY: rotate
rotate: ## replace certificates, or the secrets named by WHAT (docs/rotation.md); YES=1 does not ask
	@$(RUN) python -m operations rotate --stack $(STACK) --what $(or $(call given,WHAT),certificates) $(if $(call given,YES),--yes)

.PHONY: destroy
destroy: ## remove the stack but keep its data volumes; PURGE=1 deletes them too; YES=1 does not ask
	@$(RUN) python -m operations destroy --stack $(STACK) $(if $(call given,PURGE),--purge) $(if $(call given,YES),--yes)

##@ Prove that it is safe
.PHONY: policy
policy: ## check the plan against the policies; writes out/policy.sarif and out/policy.junit.xml
	@$(RUN) python -m operations policy --stack $(STACK)

.PHONY: audit
audit: ## test the running stack against its declaration; writes audit.json and audit.html
	@$(RUN) python -m operations audit --stack $(STACK) --out $(OUT)

.PHONY: scrub
scrub: ## read every stored shard of the object store and restore damaged ones; LIMIT=seconds
	@$(RUN) python -m operations scrub --stack $(STACK) $(call option,--limit,LIMIT)

.PHONY: drill
drill: ## restore the newest backup, or that of AT, into throw-away containers and compare it; writes drill.json
	@$(RUN) python -m operations drill --stack $(STACK) --out $(OUT) $(call option,--at,AT)

.PHONY: sbom
sbom: ## write each image's bill of materials (CycloneDX 1.6) to out/<stack>/sbom
	@$(RUN) python -m operations sbom --stack $(STACK) --out $(OUT)

.PHONY: test-s3
test-s3: ## run the S3 attack suite on versitygw and unprotected MinIO; SERVERS=stack tests the stack
	@S3_SERVERS="$(or $(SERVERS),versitygw,minio)" $(RUN) pytest -q tests/s3

##@ Run your own jobs
.PHONY: submit
submit: ## run a script of yours on the compute nodes, and follow it: SCRIPT=train.py RANKS=2 ARGS="--epochs 3"
	@[ -n $(or $(call given,SCRIPT),"") ] || { echo "error: no script given; fix: make submit SCRIPT=train.py" >&2; exit 2; }
	@$(RUN) python -m operations submit --stack $(STACK) $(call option,--ranks,RANKS) $(call option,--gpus,GPUS) \
		$(call option,--cpus,CPUS) $(call option,--memory,MEMORY) $(call option,--args,ARGS) $(call option,--name,NAME) \
		$(call option,--workdir,WORKDIR) $(call option,--pip,PIP) $(call option,--requirements,REQUIREMENTS) \
		$(if $(call given,REFRESH),--refresh) $(if $(call given,DETACH),--detach) -- $(call given,SCRIPT)

.PHONY: notebook
notebook: ## open JupyterLab on a compute node, CPUS=1 GPUS=1 MEMORY=2GiB; STOP=1 ends it, OFF=1 closes the way to it
	@$(RUN) python -m operations notebook --stack $(STACK) $(call option,--gpus,GPUS) $(call option,--cpus,CPUS) \
		$(call option,--memory,MEMORY) $(if $(call given,STOP),--stop) $(if $(call given,OFF),--off)

.PHONY: jobs
jobs: ## list the jobs, each run of them: state, age, what they wait for
	@$(RUN) python -m operations jobs --stack $(STACK)

.PHONY: stop
stop: ## stop a job: JOB=train-1128-150500
	@[ -n $(or $(call given,JOB),"") ] || { echo "error: no job given; fix: make stop JOB=name, \`make jobs\` lists them" >&2; exit 2; }
	@$(RUN) python -m operations stop --stack $(STACK) -- $(call given,JOB)

.PHONY: delete
delete: ## delete the checkpoints of JOB, or an own MODEL, or one VERSION of it; YES=1 does not ask
	@$(RUN) python -m operations delete --stack $(STACK) $(call option,--job,JOB) $(call option,--model,MODEL) \
		$(call option,--version,VERSION) $(if $(call given,YES),--yes)

##@ Train, serve, measure
.PHONY: bench
bench: ## train and serve the workloads on the stack; writes result.json and report.html
	@mkdir -p $(OUT)
	@$(RUN) python -m operations status --stack $(STACK) --json >$(OUT)/status.json || true
	@$(RUN) python -m operations node --stack $(STACK) --out $(OUT) || [ $$? = 1 ]
	@code=0; $(RUN) python -m benchmark run --stack $(STACK) --tier $(TIER) --out $(OUT) --status $(OUT)/status.json \
		--nodes $(OUT)/nodes.json \
		$(call option,--workloads,WORKLOADS) $(call option,--gate,GATE) \
		$(call option,--window,WINDOW) $(call option,--series,SERIES) \
		$(call option,--expected-duration,DURATION) || code=$$?; \
		$(RUN) python -m operations tell --stack $(STACK) --out $(OUT) >/dev/null || true; exit $$code

.PHONY: runs
runs: ## list the stack's benchmark runs, newest first
	@$(RUN) python -m benchmark runs --stack $(STACK)

.PHONY: record
record: ## write this machine's runs into MLflow as far as it lacks them; RUN=<id>: only this one
	@$(RUN) python -m benchmark record $(if $(ONE),"$(ONE)") --stack $(STACK)

.PHONY: report
report: ## rebuild report.html of the newest complete run, or of RUN=<id>
	@$(RUN) python -m benchmark report --stack $(STACK) $(if $(ONE),--run "$(ONE)")
	@$(RUN) python -m operations tell --stack $(STACK) --out $(OUT) >/dev/null 2>&1 || true

.PHONY: models
models: ## list the registered models: versions, aliases, quality, what is served
	@$(RUN) python -m benchmark models --stack $(STACK)

.PHONY: promote
promote: ## serve a version of MODEL without a failed request: VERSION=7; with SHARE=10 for 10 % of its requests
	@$(RUN) python -m benchmark promote --stack $(STACK) --model $(or $(call given,MODEL),"") \
		$(call option,--version,VERSION) $(call option,--share,SHARE)

.PHONY: retire
retire: ## take an own MODEL out of service; its versions stay registered, and `make demote` brings it back
	@$(RUN) python -m benchmark retire --stack $(STACK) --model $(or $(call given,MODEL),"")

.PHONY: demote
demote: ## take the last promotion of MODEL back: end its canary, or serve the version before
	@$(RUN) python -m benchmark demote --stack $(STACK) --model $(or $(call given,MODEL),"")

.PHONY: serve
serve: ## serve the champion of every registered model, as after a restore
	@$(RUN) python -m benchmark serve --stack $(STACK)

.PHONY: faults
faults: ## kill a worker, a node, the driver and the head during training, and judge the recovery
	@$(RUN) python -m benchmark faults --stack $(STACK) --tier $(TIER) --case $(CASE) --out $(OUT)

.PHONY: bench-abba
bench-abba: ## train commit BASE and the working tree in turns: is the working tree slower or worse?
	@$(RUN) python -m benchmark abba $(BASE) --tier $(if $(filter $(origin TIER),file),smoke,$(TIER))

.PHONY: bench-lifecycle
bench-lifecycle: ## time up, second up, drift check and destroy, and training against the host baseline, on a separate stack
	@$(RUN) python -m operations bench-lifecycle

.PHONY: bench-storage
bench-storage: ## measure S3 through the load balancer, direct, and without TLS and encryption; writes storage.json
	@$(RUN) python -m operations bench-storage --stack $(STACK) --out $(OUT) $(call option,--rounds,ROUNDS)

.PHONY: bench-backup
bench-backup: ## measure the backup against rclone and restic by hand, on throw-away data; writes backup-figures.json
	@$(RUN) python -m operations bench-backup --stack $(STACK) --out $(OUT) $(call option,--rounds,ROUNDS) \
		$(call option,--size,SIZE)

.PHONY: bench-database
bench-database: ## measure PostgreSQL through TLS and over a local socket; writes database-figures.json
	@$(RUN) python -m operations bench-database --stack $(STACK) --out $(OUT) \
		$(call option,--rounds,ROUNDS)

.PHONY: bench-submit
bench-submit: ## time a job from the command to its first step, against ray job submit and torchrun; writes submit-figures.json
	@$(RUN) python -m operations bench-submit --stack $(STACK) --out $(OUT) $(call option,--rounds,ROUNDS) \
		$(call option,--ranks,RANKS)

.PHONY: bench-recovery
bench-recovery: ## fill the store, back up, restore for trial: rates, RPO, RTO, memory; writes recovery-figures.json
	@$(RUN) python -m operations bench-recovery --stack $(STACK) --out $(OUT) $(call option,--size,SIZE) \
		$(call option,--data,DATA)

##@ Develop
.PHONY: lint
lint: ## ruff, mypy strict, the import contracts, shellcheck
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy
	@$(RUN) lint-imports --no-cache
	@if command -v shellcheck >/dev/null; then shellcheck -x --exclude=SC2012 toolchain/*.sh toolchain/*.bash .ci/run \
		$$(git grep -lE '^#!/.*sh$$' -- images); fi

.PHONY: format
format: ## format the Python code and sort its imports
	@$(RUN) ruff check --fix --select I .
	@$(RUN) ruff format .

.PHONY: test-unit
test-unit: ## unit and policy tests: no Docker, no stack
	@$(RUN) pytest -n auto tests/unit tests/policy

.PHONY: test
test: setup ## unit and policy tests, then the acceptance tests on the separate stack `test`; KEEP=1 keeps it
	@$(MAKE) test-unit
	@STACK=test KEEP=$(KEEP) toolchain/run.sh toolchain/acceptance.sh

.PHONY: test-alerts
test-alerts: ## cause every alert on a stack of its own, `alarms`, and see it fire: an hour and a half; KEEP=1 keeps it; ONLY=…
	@STACK=alarms KEEP=$(KEEP) ONLY=$(call given,ONLY) toolchain/run.sh pytest -s tests/alerts/test_every_alert.py

.PHONY: test-silence
test-silence: ## watch a healthy stack that is up: no alert may fire within MINUTES (default: 60)
	@$(RUN) env MINUTES=$(MINUTES) pytest -s tests/alerts/test_silence.py

.PHONY: lock
lock: ## resolve every requirements.in into a hash-locked requirements.txt
	@toolchain/run.sh toolchain/lock.sh

##@ Variables
##= STACK      stack to work on: the name in Pulumi.<stack>.yaml (default: dev)
##= ACCESS     env: 1 adds addresses and logins of the running stack, for ray, aws, boto3 and mlflow
##= S          logs, exec, restart: a service as `make status` lists it
##= TAIL       logs: lines to begin with (default: 200)
##= FIND       logs: words, or LogsQL, to search for in the lines of S or of all services
##= SINCE      logs: how far back FIND searches: 30m, 12h, 7d (default: 1h)
##= CMD        exec: a command, split as a shell does (default: a shell)
##= JOB        logs, stop: a job's name, run or id as `make jobs` lists it; delete: its name; backup: one of backup.jobs (default: all)
##= SCRIPT     submit: a Python file
##= RANKS      submit, bench-submit: processes, connected by torch.distributed (default: 1; bench-submit: 2)
##= GPUS       submit, notebook: GPUs of each rank (default: 0)
##= CPUS       submit, notebook: CPUs of each rank (default: at most 1, so that all ranks fit)
##= MEMORY     submit, notebook: memory that each rank reserves, as 2GiB (default: none)
##= ARGS       submit: the script's arguments
##= NAME       submit: a name; the same name finds the same checkpoints (default: the script's, with the time)
##= WORKDIR    submit: a folder that is taken along with the script
##= PIP        submit: packages of the package index, as "rich lightning==2.6": locked, kept, for this job alone
##= REQUIREMENTS submit: a file that lists them
##= REFRESH    submit: 1 resolves the packages anew, not from the cache
##= DETACH     submit: 1 does not follow the log
##= STOP       notebook: 1 ends it; its work is kept
##= OFF        notebook: 1 ends it, and closes the way to it
##= JSON       status: 1 prints a document for programs
##= WATCH      status: 1 looks again every few seconds, until Ctrl-C
##= TEST       alerts: 1 sends a trial to every receiver, and says whether it took it
##= SILENCE    alerts: an alert of which nobody is told for a time
##= FOR        alerts: how long a silence lasts: 90m, 2h, 3d
##= BECAUSE    alerts: the reason for a silence
##= END        alerts: ends a silence before its time, by the number that `make alerts` lists
##= NODE       node: a compute node, as `make status` lists it (default: all)
##= WAIVE      node: the reason why NODE may have ranks in spite of what is wrong now
##= WHAT       rotate: secrets separated by commas, or all (default: certificates)
##= SOURCES    restore: bucket/NAME, database/NAME, buckets, databases, separated by commas (default: everything)
##= FROM       rebuild: a folder with a copy of the vault's data
##= DAMAGED    rebuild: 1 goes on although files of the copy are damaged
##= YES        rotate, destroy, restore, rebuild, delete: 1 answers every question with yes
##= PURGE      destroy: 1 deletes the data volumes, too
##= AT         drill, restore, rebuild: a time with its zone, 2026-01-31T02:15Z: the newest snapshot until then
##= LIMIT      scrub: seconds after which it stops (default: 21600)
##= SERVERS    test-s3: stack, versitygw, minio, separated by commas (default: versitygw,minio)
##= MINUTES    test-silence: how long (default: 60)
##= KEEP       test, test-alerts: 1 leaves the stack running
##= ONLY       test-alerts: alerts separated by commas, for their causes alone; others may be caused with them
##= TIER       bench, faults, bench-abba: smoke, ci, release or gpu: how long and how strict (default: ci; bench-abba: smoke)
##= WORKLOADS  bench: names or files separated by commas (default: mlp,digits,bytelm)
##= GATE       bench: an earlier result.json, or a run as `make runs` lists it, to compare with; fails if worse
##= WINDOW     bench: start and end within these hours, UTC, for example 22:00-06:00
##= SERIES     bench: CSV or JSON file of energy prices or carbon intensity; start when it is lowest
##= DURATION   bench: expected seconds of the run, for WINDOW and SERIES (default: 600)
##= RUN        record, report: a run as `make runs` lists it
##= MODEL      promote, demote, retire, delete: a model as `make models` lists it
##= VERSION    promote, delete: number or alias of one of its versions (promote: canary, candidate, or your newest; delete: all)
##= SHARE      promote: percentage of the requests that it answers beside the champion (default: 100)
##= CASE       faults: worker, node, driver, head or all (default: all)
##= ROUNDS     bench-storage, bench-backup, bench-database, bench-submit: measurements of each kind, in turns (default: 8)
##= SECONDS    accept: seconds of training on all GPUs (default: 60)
##= SIZE       bench-backup, bench-recovery: bytes of the objects (default: 512MiB, 2GiB)
##= DATA       bench-recovery: bytes, or letters, which compress to a quarter (default: bytes)
##= BASE       bench-abba: commit to compare the working tree with

# A target that does not exist: suggest the nearest one.
.DEFAULT:
	@toolchain/unknown-target '$@' $(MAKEFILE_LIST)
