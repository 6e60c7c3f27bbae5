# The index of commands. `make` alone lists them. Cargo and Terraform know what is stale; make does not try.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

# Tools that a fresh machine lacks go here, at the versions of local/requirements.txt.
VENV := .tools/venv
TOOLS := $(VENV)/complete
LINTERS := $(VENV)/complete-check
CHECKOV := .tools/checkov/complete
SYFT := .tools/sbom/complete
# Of Lambda and CodeBuild: x86_64 or arm64.
ARCHITECTURE ?= x86_64
export ARCHITECTURE
# A folder that holds the AWS provider, for machines that cannot reach the Terraform registry.
PROVIDER := registry.terraform.io/hashicorp/aws
PLUGIN_HOMES := $(HOME)/.terraform.d/plugins /usr/local/share/terraform/plugins /usr/share/terraform/plugins /opt/*
TF_PLUGIN_DIR ?= $(patsubst %/$(PROVIDER),%,$(firstword $(wildcard $(addsuffix /$(PROVIDER),$(PLUGIN_HOMES)))))
TERRAFORM := terraform -chdir=terraform
STATE_BUCKET := examples/state-bucket
EXAMPLES := examples/own-account examples/own-account/deploy-role examples/child-module examples/self
TERRAFORM_INIT := $(TERRAFORM) init -input=false $(if $(TF_PLUGIN_DIR),-plugin-dir=$(TF_PLUGIN_DIR))
# The same elsewhere: $(call THERE,FOLDER,COMMAND).
THERE = $(subst -chdir=terraform,-chdir=$(1),$(2))

# One region, whichever of its two names it was given: the AWS CLI of the tool folder and boto3 know only the second.
ifdef AWS_REGION
export AWS_DEFAULT_REGION := $(AWS_REGION)
endif

LOCAL := PYTHONPATH=local $(VENV)/bin/python -m iwomp_local
# The one to install, if it was made; else one that is built in a third of the time.
PROGRAM := $(or $(wildcard target/release/iwomp),target/debug/iwomp)
ON_ACCOUNT := PYTHONPATH=account $(VENV)/bin/python -m iwomp_account
# Checked with the settings of local/, seen from there.
PYTHON_ELSEWHERE := ../account ../bench ../boundary ../examples/self/live ../scripts/book.py ../scripts/dist.py ../worker/build_context.py ../worker/tests/git
export TF_PLUGIN_DIR
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Of the AWS SDK only what is used is compiled (docs/decisions/0028). A wrapper of the environment's own stays.
export RUSTC_WRAPPER ?= $(CURDIR)/scripts/rustc

.PHONY: help demo up account down test compile-tests test-rust test-end-to-end check check-style check-terraform faults faults-local soak bench fuzz mutants defences docs fmt build programs iwomp zip dist dist-programs image image-check preflight accept state-bucket deploy destroy trigger rollback release logs status stop pause resume secret verify-boundary redrive

help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "  make %-15s %s\n", $$1, $$2 }'

# On this machine

demo: programs $(PROGRAM) ## The whole pipeline on this machine, from publish to the changed infrastructure
	$(LOCAL) demo

up: programs $(PROGRAM) ## A local stack that stays, to try things on, or one more project in it: [PROJECT=]
	@$(LOCAL) up $${PROJECT:+"$$PROJECT"}

account: programs ## An empty local AWS that stays, to try `make deploy` on: then `. .local/account/env`
	@$(LOCAL) account

down: $(TOOLS) ## End the local stack, and the empty one
	$(LOCAL) down

# Development

# In `make test` Rust's lints come with the compiling of the tests, by the driver that `cargo clippy` uses itself: else all
# dependencies would be compiled once for the lints and once for the tests.
BY_CLIPPY := RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS=--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__

# Side by side: what does not compile keeps one processor, and leaves a core idle now and then, as linking does, too. Of the
# tests most wait for something: of git, of a clock, of the local AWS.
test: ## All tests: Rust, Terraform, and end to end on the local AWS
	+@$(MAKE) --no-print-directory --jobs 2 compile-tests programs check-style $(CHECKOV) $(SYFT)
	+@$(MAKE) --no-print-directory --jobs 3 test-end-to-end test-rust check-terraform

compile-tests:
	$(BY_CLIPPY) cargo test --workspace --locked --no-run

test-rust:
	$(BY_CLIPPY) cargo test --workspace --locked
	worker/tests/image_script.sh
	.github/actions/trigger/test.sh

# Pytest asks cargo for the same programs. Of its processes local/tests/conftest.py says what goes together. Terraform and its
# provider, of which some hundred are started, collect less garbage.
test-end-to-end: $(SYFT)
	cd local && $(BY_CLIPPY) GOGC=400 ../$(VENV)/bin/python -m pytest --numprocesses 6 --dist loadscope

check: check-style check-terraform ## Formats, lints, licences, Terraform's own tests; changes nothing
	cargo clippy --workspace --all-targets --locked -- --deny warnings

check-style: $(TOOLS) $(LINTERS)
	cargo fmt --all --check
	cargo deny --locked check bans licenses sources
	cd local && ruff format --check . $(PYTHON_ELSEWHERE) && ruff check . $(PYTHON_ELSEWHERE) && mypy iwomp_local tests $(PYTHON_ELSEWHERE)
	scripts/book.py target/site
	hadolint worker/Dockerfile
	shellcheck .ci/run contract/fuzz/run scripts/rustc scripts/terraform-test scripts/trigger worker/image.sh worker/tests/*.sh local/iwomp_local/*.sh local/iwomp_local/standin/*.sh .github/actions/trigger/test.sh $$(grep --recursive --exclude-dir=.terraform --files-with-matches '^#!/bin/sh' examples)
	actionlint
	actionlint examples/ci/github-actions.yml
	zizmor --offline --quiet .github examples/ci/github-actions.yml

check-terraform: $(TOOLS) $(CHECKOV)
	terraform fmt -check -recursive terraform examples
	cd terraform && ../.tools/checkov/bin/checkov --config-file .checkov.yaml
	for folder in terraform $(EXAMPLES); do $(call THERE,$$folder,$(TERRAFORM_INIT)) -backend=false >/dev/null || exit; done
	scripts/terraform-test terraform $(EXAMPLES)

# The outcome lines go into the file, the figures to the terminal. Built once more, in a profile of its own: some minutes.
faults: ## The launcher under 100,000 triggers and every fault, in simulated time: [TRIGGERS=100000]
	mkdir -p target
	FAULT_TRIGGERS=$${TRIGGERS:-100000} cargo test --locked --profile faults --package launcher --test faults -- --nocapture >target/faults.log

faults-local: programs ## 1,000 triggers through a local AWS that breaks: [ARGS="--seed 2"]
	$(LOCAL) faults $(ARGS)

soak: programs ## A pipeline in use, with kill -9 at random moments; then every trigger is accounted for: [MINUTES=20]
	$(LOCAL) soak --minutes $${MINUTES:-20} $(ARGS)

# Says how busy the machine was, for a ratio means little on a busy one. The launcher's peer wants node and npm.
bench: programs ## How fast the parts are beside what they stand on: a table, and target/bench.json: [ARGS="--only launcher"]
	PYTHONPATH=local:bench $(VENV)/bin/python -m iwomp_bench $(ARGS)

fuzz: ## Feed the parsers with noise: [SECONDS_EACH=20]
	contract/fuzz/run $(SECONDS_EACH)

# Takes hours for all of it: MUTANTS_ARGS="--file contract/src/name.rs" is a few minutes.
mutants: ## Change the code in small ways, and see a test fail for each: [MUTANTS_ARGS=]
	cargo install --quiet --locked --root .tools --version 27.1.0 cargo-mutants
	.tools/bin/cargo-mutants mutants --output .tools --package contract --package iwomp-aws --package launcher --package worker $(MUTANTS_ARGS)

# Some ten minutes. Compiles into a folder of its own, which stays: the first time takes longer.
defences: $(TOOLS) ## Turn one defence after another off, and see its test fail: [ARGS="--only NAME"]
	$(LOCAL).defences $(ARGS)

docs: $(LINTERS) ## A site of all documents, target/site/index.html, each link of it followed
	scripts/book.py target/site

fmt: $(TOOLS) ## Format everything
	cargo fmt --all
	cd local && ruff format . $(PYTHON_ELSEWHERE) && ruff check --fix . $(PYTHON_ELSEWHERE)
	terraform fmt -recursive terraform examples

NO_PATHS = --remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}/registry/src/= --remap-path-prefix=$(CURDIR)/=

# In one call, so that what the two have in common is compiled once; and linked by zig against the C library of Lambda's
# provided.al2023, so that what is tested here is what runs there, whatever this machine's own library is. No path of this machine
# is in them: the same source gives the same bytes elsewhere.
BUILD = RUSTFLAGS="$(NO_PATHS) $${RUSTFLAGS-}" cargo lambda build --release --target $(1)-unknown-linux-gnu.2.34 --skip-target-check --output-format zip --locked

build: programs iwomp ## All programs, for this machine: the zips of launcher, notifier and broker, the worker, and iwomp

# What a pipeline is made of, and all that the tests need: they have `iwomp` from a build that takes a third of the time.
programs: $(TOOLS)
	$(call BUILD,$(patsubst arm64,aarch64,$(shell uname -m))) --package broker --package launcher --package notifier --package worker

# Not in the call above: people sign in by more ways than a Lambda has, and cargo would give those to the Lambdas, too.
iwomp: ## The program for people, target/release/iwomp
	RUSTFLAGS="$(NO_PATHS) $${RUSTFLAGS-}" cargo build --release --locked --package iwomp

# For the targets that use it: only where it is not there.
$(PROGRAM):
	cargo build --locked --package iwomp

zip: $(TOOLS) ## The zips alone, for Lambda: [ARCHITECTURE=arm64]
	$(call BUILD,$(ARCHITECTURE:arm64=aarch64)) --package broker --package launcher --package notifier

# For one architecture, as `programs` makes them, and `iwomp` as a Lambda is linked: it then runs on as old a C library.
dist-programs: $(TOOLS)
	$(call BUILD,$(ARCHITECTURE:arm64=aarch64)) --package broker --package launcher --package notifier --package worker
	$(call BUILD,$(ARCHITECTURE:arm64=aarch64)) --package iwomp

# Of a commit, wherever it is made, the same bytes; .github/workflows/release.yml makes it twice and compares.
dist: $(TOOLS) ## Everything of a release, in target/dist: [ARCHITECTURES="x86_64 arm64"] [DIST=FOLDER]
	cargo install --quiet --locked --root .tools --version 0.5.9 cargo-cyclonedx
	PATH="$(CURDIR)/.tools/bin:$$PATH" $(VENV)/bin/python scripts/dist.py $(addprefix --architecture ,$(ARCHITECTURES)) $(DIST)

# With a list of what is in it, target/image-TARGET.cdx.json, unless SBOM= says that there shall be none.
image: $(SYFT) ## The deployer image, with docker, podman or buildah: [IMAGE_ARGS="NAME=VALUE ..."]
	worker/image.sh build $(IMAGE_ARGS)

image-check: ## Build the image, its worker compiled in it, and look into it
	worker/tests/image.sh $(IMAGE_ARGS)

# In an AWS account, with the credentials of the environment

preflight: $(TOOLS) ## What stands in the way of a deployment, each with what to do: [ACCOUNT=] [PREFLIGHT_ARGS="--json"]
	$(ON_ACCOUNT) preflight $(PREFLIGHT_ARGS)

# Some twenty minutes, and well under a dollar. ACCEPT_ARGS takes --credentials FILE, --ca-bundle FILE.
accept: $(TOOLS) zip ## Try a throwaway pipeline in a sandbox account: ACCOUNT= GIT_URL= [PUSH_URL=] [ACCEPT_ARGS=]
	$(ON_ACCOUNT) accept --account "$${ACCOUNT-}" --git-url "$${GIT_URL-}" --push-url "$${PUSH_URL-}" $(ACCEPT_ARGS)

# Of all that projects may name, for what is done before any is built or after the last.
NO_IMAGES := -var 'image_tags={minimal="none",terraform="none",opentofu="none",cdk="none",all="none"}'

# What iwomp doctor tries of a pipeline that was deployed; empty, it only looks.
DOCTOR_ARGS ?= --publish --in-build

# The images are there before any project is pointed at one: a trigger that came in between would otherwise be answered with a
# build that cannot start. The first apply is of their repository, with its policy, which knows the targets in use.
deploy: preflight zip iwomp $(SYFT) ## Apply terraform/ with terraform.tfvars, push the image, say what to do next: [ARCHITECTURE=arm64] [DOCTOR_ARGS=]
	$(TERRAFORM_INIT)
	$(TERRAFORM) apply -target=aws_ecr_lifecycle_policy.this $(NO_IMAGES) $(TF_ARGS)
	tags= && for target in $$($(TERRAFORM) output -raw image_targets); do \
	  digest=$$(IMAGE_TARGET=$$target worker/image.sh push "$$($(TERRAFORM) output -raw repository_url)" $(IMAGE_ARGS)) && \
	  tags+="$$target=\"$$digest\"," || exit; done && \
	$(TERRAFORM) apply -var "image_tags={$$tags}" -var architecture=$(ARCHITECTURE) $(TF_ARGS)
	@echo "The pipeline is there. What iwomp $(strip doctor $(DOCTOR_ARGS)) says of it$(if $(strip $(DOCTOR_ARGS)), after some minutes):"
	@target/release/iwomp --config-path "$$($(TERRAFORM) output -raw config_path)" $(strip doctor $(DOCTOR_ARGS)) || true # before any credentials there is much to say
	@echo "What each CI runs once its tests pass:"
	@$(TERRAFORM) output publish_command
	@echo "The policy of a CI's identity: terraform -chdir=terraform output -raw publisher_policy. Of a project's own: output publishers."
	@echo "For each private repository: iwomp secret set PROJECT --yes < token.txt. Then: iwomp doctor PROJECT --in-build, and"
	@echo "iwomp trigger PROJECT BRANCH --wait, which publishes as its CI will."

# The name of the pipeline, whose builds the bucket is shut to.
CONFIG_PATH = $(or $(shell sed -nE 's/^ *config_path *= *"([^"]*)".*/\1/p' terraform/*.tfvars 2>/dev/null | head -n 1),iwomp-in-aws)

state-bucket: ## A bucket for Terraform's state, and the terraform/backend.tf that names it: [TF_ARGS="-var bucket=NAME"]
	@! test -e terraform/backend.tf || { echo "terraform/backend.tf is there already, and says where the state is. To have another one, move it away first." >&2; exit 1; }
	$(call THERE,$(STATE_BUCKET),$(TERRAFORM_INIT))
	$(call THERE,$(STATE_BUCKET),$(TERRAFORM)) apply -var config_path=$(CONFIG_PATH) $(TF_ARGS)
	$(call THERE,$(STATE_BUCKET),$(TERRAFORM)) output -raw backend >terraform/backend.tf
	@echo "terraform/backend.tf names it: keep it with your copy. To move the state there: $(subst -input=false,-migrate-state,$(TERRAFORM_INIT))"

# What is live is no part of the pipeline, and stays. What builds, functions and people wrote under its name goes as well.
destroy: $(TOOLS) $(PROGRAM) ## Take everything down again, after a list of what is live and will be deployed by nothing any more
	@name=$$($(TERRAFORM) output -raw config_path 2>/dev/null) || name=$(CONFIG_PATH); \
	echo "What is live stays as it is, and nothing deploys it any more:"; \
	$(PROGRAM) --config-path "$$name" status || true; \
	echo "When all is down, what was written under its name goes, too: stored credentials, records of what is live, pauses, logs."; \
	$(TERRAFORM) destroy $(NO_IMAGES) $(TF_ARGS) && $(ON_ACCOUNT) forget "$$name"

# In use: `iwomp` of this folder (docs/commands.md) on the local stack while one is up, else in the account of the environment.
# ARGS= takes further options, such as --yes. Where it merely says no (statuses 2 to 5) that is said, and make adds nothing and
# ends well; a script that has to know runs `iwomp` itself.
USE = @$(PROGRAM) $(1) $(ARGS) || { status=$$?; [ $$status -ge 2 ] && [ $$status -le 5 ]; }
WHOSE = $${PROJECT:+"$$PROJECT"}
WHERE = $(WHOSE) $${BRANCH:+"$$BRANCH"}

trigger: $(PROGRAM) ## Publish a trigger: PROJECT= BRANCH= [COMMIT=]
	$(call USE,trigger $(WHERE) $${COMMIT:+--commit "$$COMMIT"})

rollback: $(PROGRAM) ## Go back to a commit, by an operator's right, and hold the head: PROJECT= BRANCH= COMMIT= [ARGS="--wait 30m"]
	$(call USE,rollback $(WHERE) $${COMMIT:+"$$COMMIT"})

release: $(PROGRAM) ## Let the head be deployed again that was rolled back from: PROJECT= BRANCH=
	$(call USE,release $(WHERE))

logs: $(PROGRAM) ## The newest build's log, followed while it runs: PROJECT=
	$(call USE,logs $(WHOSE) --follow)

status: $(PROGRAM) ## What is live, what ran, what waits, what was given up: [PROJECT=]
	$(call USE,status $(WHOSE))

stop: $(PROGRAM) ## End the running build: PROJECT=
	$(call USE,stop $(WHOSE))

pause: $(PROGRAM) ## Let a project's triggers wait in the queue: PROJECT= [REASON=]
	$(call USE,pause $(WHOSE) $${REASON:+--reason "$$REASON"})

resume: $(PROGRAM) ## Let a paused project deploy again: PROJECT=
	$(call USE,resume $(WHOSE))

# From standard input nobody can be asked beside: what is handed over there is the answer.
secret: $(PROGRAM) ## Store a project's Git credentials, from standard input or FILE=: PROJECT=
	$(call USE,secret set $(WHOSE) $$([ "$${FILE-}" ] || echo --yes) $${FILE:+--file "$$FILE"})

redrive: $(PROGRAM) ## Send what was given up through the same checks again
	$(call USE,redrive)

verify-boundary: $(TOOLS) $(PROGRAM) ## Show what each principal can do, and try the CI's key: [ARGS="--account N --ci-profile P"]
	$(call USE,verify-boundary)

# $(call INSTALL,ENVIRONMENT,REQUIREMENTS,OPTIONS OF UV). By uv, which takes a tenth of pip's time; where it finds no way to the
# packages, such as to a mirror that pip alone is told of, by pip.
INSTALL = $(VENV)/bin/uv pip install --quiet $(3) --python $(1)/bin/python --requirement $(2) || \
  $(1)/bin/pip install --quiet --disable-pip-version-check --requirement $(2)

$(TOOLS): local/requirements.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check $$(grep --only-matching '^uv==[^ ]*' $<)
	$(call INSTALL,$(VENV),$<,--compile-bytecode) # or each local AWS that is started would compile itself: 2 s of a processor
	touch $@

$(LINTERS): local/requirements-check.txt $(TOOLS)
	$(call INSTALL,$(VENV),$<)
	touch $@

# Apart: checkov wants an older boto3 than the local AWS, and syft is what worker/image.sh looks for there.
$(CHECKOV): terraform/requirements-check.txt $(TOOLS)
$(SYFT): worker/requirements-sbom.txt $(TOOLS)
$(CHECKOV) $(SYFT):
	python3 -m venv --clear $(@D)
	$(call INSTALL,$(@D),$<)
	touch $@
