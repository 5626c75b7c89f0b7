# Everything that a person does with this repository. Needs Debian 12 or 13, root, and nothing installed beforehand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
# Debian's own: 3.11 in Debian 12, 3.13 in Debian 13. An installation runs on it too (`landbridge install`).
PYTHON ?= /usr/bin/python3
# Where this is set, each process compiles all that it imports, and pytest rewrites all assertions in each worker.
unexport PYTHONDONTWRITEBYTECODE

# strongSwan with VICI and the userland data plane; ping for the demonstration.
PACKAGES := python3 python3-venv iproute2 iputils-ping nftables procps strace openssl curl systemd charon-systemd strongswan-swanctl \
            libcharon-extra-plugins libstrongswan-standard-plugins bird2

# What `make test-kernel` needs besides: a machine of its own, and what runs in it. The kernel is unpacked, not installed.
KERNEL_PACKAGES := qemu-system-x86 busybox-static cpio kmod

# What `make test-debian13` needs besides: what makes a folder with another Debian.
DEBIAN13_PACKAGES := debootstrap git util-linux

# The browser of the console's tests.
BROWSER_PACKAGES := chromium

.PHONY: help setup demo deb serve test test-clients test-kernel test-kernel-full test-debian13 test-scenarios test-soak test-full unit check bench bench-dataplane diagnose-bench attack screenshots lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(VENV)/.ready $(VENV)/.browser ## install what everything else needs (Debian packages, .venv), and nothing more

# $(call install,PACKAGES): the Debian packages that are missing.
define install
	@missing=$$(for p in $(1); do dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -q '^installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "setup: installing Debian packages:" $$missing; \
	  apt-get update -qq; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@mkdir -p $(VENV) && touch $@
endef

$(VENV)/.packages: Makefile
	$(call install,$(PACKAGES))

$(VENV)/.browser: Makefile
	$(call install,$(BROWSER_PACKAGES))

$(VENV)/.kernel-packages: Makefile
	$(call install,$(KERNEL_PACKAGES))

$(VENV)/.debian13-packages: Makefile
	$(call install,$(DEBIAN13_PACKAGES))

$(VENV)/.ready: $(VENV)/.packages requirements-dev.txt pyproject.toml
	@echo "setup: creating $(VENV)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)  # also when one was interrupted
	@echo "setup: installing the $$(grep -c '^[^ #].*==' requirements-dev.txt) Python packages of requirements-dev.txt, which takes some minutes"
	@$(BIN)/python -m pip install -q --require-hashes -r requirements-dev.txt
	@echo "setup: installing Landbridge into $(VENV)"
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@

# Programs that the tests run: unpacked, not installed.
UNPACKED_PACKAGES := prometheus libreswan shellcheck
$(VENV)/.unpacked: $(VENV)/.ready
	@$(BIN)/python -m lab.debian_packages $(UNPACKED_PACKAGES) >/dev/null 2>&1 || { apt-get update -qq; $(BIN)/python -m lab.debian_packages $(UNPACKED_PACKAGES) >/dev/null; }
	@touch $@

demo: $(VENV)/.ready ## a real tunnel between two sites on this machine; ONCE=1 checks it and cleans up
	@$(BIN)/python -m lab.demo $(if $(ONCE),--once)

deb: $(VENV)/.ready ## the Debian package for the release of this machine, in build/deb
	@$(BIN)/python -m lab.deb

serve: $(VENV)/.ready ## the service on 127.0.0.1:8700, with its data in ./landbridge-data
	@$(BIN)/landbridge serve --data landbridge-data

# More workers of pytest-xdist than processors, since tests also wait: for timers in `make unit`, and for tunnels and servers in `make test`. Each begins
# with a stretch of neighbouring tests, so that what a module shares is mostly made once, and takes over tests of the others when it is done.
unit: PARALLEL = -n $(shell echo $$(( ($$(nproc) * 3 + 1) / 2 ))) --dist worksteal
test: PARALLEL = -n $(shell echo $$(( $$(nproc) * 2 ))) --dist worksteal

# The folders of the tests are in memory when /dev/shm has a GiB free, so that thousands of commits do not wait for a disk. `make test` has them on the disk.
IN_MEMORY = $(shell [ "$$(df -m --output=avail /dev/shm 2>/dev/null | tail -1)" -ge 1024 ] 2>/dev/null && echo PYTEST_DEBUG_TEMPROOT=/dev/shm)

unit: setup ## the tests of every minute: no processes, no servers, no tunnels
	@$(IN_MEMORY) $(BIN)/python -m pytest $(PARALLEL) -o tmp_path_retention_policy=failed -p tests.unit_only tests $(addprefix --ignore tests/,cli clients compat durability kernel scenarios)

# Coverage takes as much processor time as the tests that run in pytest's own processes. The run in Debian 13 does without it. The tests that fail run once more, one
# after another. A test that passes then depends on the tests beside it or on a quiet machine, which is a fault to mend, and no reason to refuse a commit. pytest's status is 1 when a test failed.
TESTS := tests --ignore tests/clients --ignore tests/kernel
test: setup $(VENV)/.unpacked ## every test that is not marked long, real tunnels and foreign clients included; prints the lines of the code that no test ran, COVERAGE=no does not
	@$(BIN)/python -m pytest $(PARALLEL) $(if $(filter no,$(COVERAGE)),,--cov=landbridge) -m 'not long' $(TESTS) || { \
	  [ $$? -eq 1 ] && echo "test: the tests that failed run again, one after another" && \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none --maxfail 3 -m 'not long' $(TESTS); }

test-clients: setup ## foreign clients in Go, Java and Terraform; ABSENT=skip skips those whose tools are not there, and lists them
	@$(BIN)/python -m pytest -rs tests/clients $(if $(ABSENT),--absent=$(ABSENT))

WITH := not long
# Runs pytest, and the tests that failed once more, as `make test` does. The table of test-kernel-full has the results of the first run.
ONCE_MORE = bash -c '"$$@" || { [ $$? -eq 1 ] && "$$@" --last-failed --last-failed-no-failures none --junitxml=$@/again.xml; }' once-more
# Started in a virtual machine: nothing is loaded that these tests do not use, since imports take seconds there.
GUEST_PYTEST = $(ONCE_MORE) $(BIN)/python -m pytest -o cache_dir=$@/cache -p no:hypothesispytest -p no:xdist -p no:xdist.looponfail -p no:pytest_cov --confcutdir=tests/kernel --timeout=400 -m '$(WITH)'

test-kernel: setup $(VENV)/.kernel-packages ## tunnels and the installation on Debian's own kernel, in virtual machines
	@for fetched in lab.kernel lab.libreswan lab.frr lab.upgrade; do $(BIN)/python -m $$fetched; done
	@echo "test-kernel: two machines; to watch: tail -f build/kernel/*/console.log"
	@$(MAKE) --no-print-directory -j2 --output-sync=target build/kernel/tunnels build/kernel/install

# Each part runs and has its rows, whatever fails before. Less than 150 minutes on two quiet cores.
test-kernel-full: setup $(VENV)/.kernel-packages ## the tests that take minutes besides, every scenario on the kernel, and the table of them: docs/reference/kernel-tests.md
	@for fetched in lab.kernel lab.libreswan lab.frr "lab.upgrade --packages"; do $(BIN)/python -m $$fetched; done
	@rm -f build/kernel/{tunnels,install,package}/junit.xml build/kernel/every-scenario/verdicts.json
	@bad=0; \
	$(BIN)/python -m pytest -m long tests --ignore tests/clients --ignore tests/kernel || bad=1; \
	$(SUBMAKE) --no-print-directory -k -j2 --output-sync=target $(KERNEL_PARTS) WITH= VM_SECONDS=7200 || bad=1; \
	$(BIN)/python -m lab.kernel_tests_page build/kernel/{tunnels,install,package}/junit.xml build/kernel/every-scenario/verdicts.json || bad=1; \
	exit $$bad

# With -n, make runs each line of a recipe that has $(MAKE). The line in test-kernel-full also runs tests, so it has this variable.
SUBMAKE := $(MAKE)

# The longest part is first: it takes about as long as the others together.
KERNEL_PARTS := build/kernel/tunnels build/kernel/install build/kernel/package build/kernel/every-scenario
# A bound for a busy machine: a quiet one needs less than 20 minutes.
VM_SECONDS := 2400
.PHONY: $(KERNEL_PARTS)
build/kernel/tunnels:
	@$(BIN)/python -m lab.vm --timeout $(VM_SECONDS) --results $@ -- $(GUEST_PYTEST) --junitxml=$@/junit.xml tests/kernel --ignore tests/kernel/test_install.py --ignore tests/kernel/test_package.py

build/kernel/install:
	@$(BIN)/python -m lab.vm --timeout $(VM_SECONDS) --systemd --results $@ -- $(GUEST_PYTEST) --junitxml=$@/junit.xml tests/kernel/test_install.py

build/kernel/package:
	@$(BIN)/python -m lab.vm --timeout $(VM_SECONDS) --systemd --results $@ -- $(GUEST_PYTEST) --junitxml=$@/junit.xml tests/kernel/test_package.py

build/kernel/every-scenario:
	@$(BIN)/python -m lab.vm --timeout $(VM_SECONDS) --results $@ -- $(BIN)/python -m lab.replay_all --plane kernel --every --places 1 --save $@/verdicts.json

test-debian13: setup $(VENV)/.debian13-packages ## demonstration and tests in a fresh Debian 13, in a folder and namespaces of its own
	@$(BIN)/python -m lab.debian13

# Those of the kernel's data plane run in a virtual machine; ONLY='ikev1/*' replays a part of the others and writes no table.
test-scenarios: setup $(VENV)/.kernel-packages ## scenarios of strongSwan's own test suite through the API, and the table of them: docs/reference/scenarios.md
ifdef ONLY
	@$(BIN)/python -m lab.replay_all --only $(foreach pattern,$(ONLY),'$(pattern)')
else
	@$(BIN)/python -m lab.vm --results build/kernel/scenarios -- $(BIN)/python -m lab.replay_all --plane kernel --places 1 --save build/kernel/scenarios/verdicts.json
	@$(BIN)/python -m lab.replay_all --with build/kernel/scenarios/verdicts.json
endif

# The kernel's data plane runs in a virtual machine. ONLY='*charon*' runs a part and writes no page; `python -m lab.soak --with FILE…` writes the rows of saved parts into the page.
PLANE := userland
SOAK_PART := $(if $(ONLY),--only $(foreach pattern,$(ONLY),'$(pattern)'))
test-soak: setup $(VENV)/.kernel-packages ## changes and faults under constant echoes, PLANE=userland or kernel, and the page of them: docs/reference/behaviour-under-change.md
ifeq ($(PLANE),kernel)
	@$(BIN)/python -m lab.vm --timeout 5400 --results build/kernel/soak -- $(BIN)/python -m lab.soak --plane kernel --save build/kernel/soak/soak.json $(SOAK_PART)
	@$(if $(ONLY),,$(BIN)/python -m lab.soak --with build/kernel/soak/soak.json)
else
	@$(BIN)/python -m lab.soak $(SOAK_PART)
endif

check: setup ## formatting, lint, types, arrows between the rooms
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test-full: setup ## every combination of algorithms in real tunnels, and the table of them: docs/reference/algorithms.md
	@$(BIN)/python -m lab.matrix

bench: setup ## the figures of docs/reference/figures.md, as ratios to floors of the same run
	@$(BIN)/python -m bench

# ONLY='tunnels reconnect' measures a part.
bench-dataplane: setup ## figures of tunnels for docs/reference/figures.md, beside those of bare strongSwan
	@$(BIN)/python -m bench.dataplane $(if $(ONLY),--only $(ONLY))

diagnose-bench: setup ## the scores of the diagnoses of all misconfigurations, under ten minutes; ONLY='psk*' runs a part
	@$(BIN)/python -m lab.libreswan >/dev/null
	@$(BIN)/python -m lab.diagnose --report build/diagnose.txt $(if $(ONLY),--only $(foreach pattern,$(ONLY),'$(pattern)'))

attack: setup ## floods, races and foreign ids against a service of its own, under ten minutes; a table of what held
	@$(BIN)/python -m lab.attack $(if $(ONLY),--only $(ONLY))

screenshots: setup ## pictures of the console with real tunnels, in light and dark: docs/images
	@$(BIN)/python -m lab.screenshots

lock: ## write requirements*.txt anew from pyproject.toml (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml -o requirements.txt
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate pyproject.toml --group dev -o requirements-dev.txt

clean: ## remove what setup and the tests made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find bench lab src tests -name __pycache__ -prune -exec rm -rf {} +
