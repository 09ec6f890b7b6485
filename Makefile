# One command a job. `make help` lists them.
#
#   make site                                       an embedded cluster on this machine, governed
#   make site KUBECONFIG=… REGISTRY=…               the same on a cluster of your own; DATABASE_URL=… of your own too
#   make down                                       stop and remove what `make site` started
#   make test                                       everything that CI runs, on a cluster of its own

SHELL := /bin/bash -o pipefail
.DEFAULT_GOAL := help

CACHE := $(or $(KUBEOP_CACHE_DIR),$(HOME)/.cache/kubeop)
NAME ?= kubeop
SUDO := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env)
UV := $(or $(shell command -v uv),$(CACHE)/uv/bin/uv)
UV_VERSION := 0.13.8
BIN := .venv/bin
COLLECTION := .ansible/collections/ansible_collections/kubeop/platform

# Only a KUBECONFIG given to make itself names a cluster of the user's own: one that is merely exported must not be changed.
OWN := $(if $(filter command line,$(origin KUBECONFIG)),--kubeconfig $(abspath $(KUBECONFIG))) \
	$(if $(REGISTRY),--registry $(REGISTRY))

.PHONY: help
help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: site
site: setup ## a governed cluster: embedded, or your own with KUBECONFIG=… REGISTRY=…
	@$(BIN)/python tools/site.py --name $(NAME) $(OWN)

.PHONY: down
down: setup ## stop and remove what `make site` started
	@$(SUDO) $(BIN)/kubeop dev down --name $(NAME)

.PHONY: images
images: setup ## build the images controller and webhook; REGISTRY=… pushes them
	@$(SUDO) $(BIN)/python images/build.py $(if $(REGISTRY),--registry $(REGISTRY))

.PHONY: ee
ee: setup ## the execution environment as build/kubeop-ee.tar; REGISTRY=… pushes it instead
	@$(SUDO) $(BIN)/python images/ee.py $(if $(REGISTRY),--registry $(REGISTRY))

.PHONY: setup
setup: $(UV) $(COLLECTION) ## the locked Python environment in .venv
	@$(UV) sync --quiet --locked --all-extras --compile-bytecode

$(CACHE)/uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kubeop needs Python 3.11 or newer as python3." >&2; exit 1; }
	@python3 -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -qq -y python3-venv; }
	@python3 -m venv $(CACHE)/uv && $(CACHE)/uv/bin/pip install --quiet uv==$(UV_VERSION)

# Ansible finds a collection by its folder's name, so the checkout is linked to where it would be installed.
$(COLLECTION):
	@mkdir -p $(dir $@) && ln -sfn $(CURDIR) $@

.PHONY: lint
# antsibull's tools start Ansible's by name.
lint changelog: export PATH := $(CURDIR)/$(BIN):$(PATH)
lint: setup ## every check that needs no cluster
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline
	$(BIN)/antsibull-changelog lint
	$(BIN)/antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all --disallow-unknown-collection-refs .
	$(BIN)/python tests/sanity/run.py
	$(BIN)/python tests/sanity/galaxy.py

.PHONY: test
test: lint ## everything that CI runs: checks, unit, integration, end to end
	@$(SUDO) $(BIN)/kubeop dev packages --install
	@$(BIN)/kubeop dev binaries
	@$(SUDO) $(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: docs
docs: setup ## the pages of modules, plugins and roles as HTML in build/docs
	@$(BIN)/python tools/docs.py

.PHONY: dist
dist: setup ## what a release publishes, in dist/: the collection's artifact and the library's wheel
	@$(BIN)/python tools/dist.py

.PHONY: changelog
changelog: setup ## CHANGELOG.rst from the fragments, for the version in galaxy.yml
	@$(BIN)/antsibull-changelog release

.PHONY: bench
bench: setup ## measure, beside a peer in the same run; ONLY=name for one
	@$(SUDO) $(BIN)/kubeop dev packages --install
	@$(BIN)/kubeop dev binaries
# As users run it: Python keeps the bytecode of what it imports, whatever this shell says.
	@$(SUDO) env -u PYTHONDONTWRITEBYTECODE $(BIN)/python bench/run.py $(if $(ONLY),--only $(ONLY))
