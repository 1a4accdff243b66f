# Every daily command by name. Needs python3 (3.11 or later), a C compiler with OpenMP, and make; pip brings the rest.
#
#   make test ARGS="-x -k lstm"      ARGS goes to pytest, the demo or the examples
#   make test PYTHON=python3.13      the interpreter of a new environment
#   make test WERROR=OFF             let a compiler with other warnings pass
#   make test WORKERS=0              in one process, for a debugger; the default is two processes

PYTHON ?= python3
VENV    = .venv
WERROR ?= ON
ARGS    =
WORKERS = 2
PREFIX  = build/prefix

# Warnings are errors here because pip shows no compiler output unless the build fails.
# The build directory is kept in the environment, so only what changed is compiled again.
CONFIG  = -Cbuild-dir=$(VENV)/build -Ccmake.define.FASTRNN_WERROR=$(WERROR) $(VARIANT)
VARIANT =
TEST_ENV =

# The directories are listed too: their time changes when a file is added, renamed or removed.
SOURCES := CMakeLists.txt pyproject.toml README.md LICENSE \
           $(shell find csrc src benchmarks -name __pycache__ -prune -o \( -type d -o -name '*.[ch]' -o -name '*.p[xy]*' -o -name py.typed \) -print)

# One pytest run: the tests, and the examples in the docstrings of the package as it is installed.
# ./ because --pyargs would take a bare `tests` for a module of that name.
PYTEST = $(TEST_ENV) $(VENV)/bin/pytest -n $(WORKERS) --dist worksteal \
         --doctest-modules --doctest-ignore-import-errors --pyargs ./tests fastrnn $(ARGS)

# The environment is the one in which it looks for packages.
PYRIGHT = VIRTUAL_ENV=$(abspath $(VENV)) PATH=$(abspath $(VENV))/bin:$$PATH pyright

export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PIP_NO_INPUT = 1
MAKEFLAGS += --no-print-directory

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv torch sb3 aeon demo demo-distributed examples lib test test-slow test-bridges test-isa test-serial test-oldest \
        asan tsan portability fuzz soak attack bench bench-check bench-render bench-kernels docs gallery wheel wheels \
        sdist dist-check tag-check lint fmt clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

venv: $(VENV)/.test $(VENV)/.mpi ## make .venv: the package, built and installed, with all that the tests need

torch: venv $(VENV)/.torch ## add the PyTorch that the tests were checked against, with which they then compare

sb3: venv $(VENV)/.sb3 ## add sb3-contrib, whose recurrent policies are then tested, and PyTorch

aeon: venv ## add aeon, with which its estimators are then tested; it brings Numba, and a NumPy that this supports
	$(VENV)/bin/pip install -q 'aeon>=1.6'

demo: $(VENV)/.demo ## train a small character LSTM and let it write
	$(VENV)/bin/python examples/language_model.py $(ARGS)

demo-distributed: $(VENV)/.demo $(VENV)/.mpi ## train it on two processes by MPI: the parameters of one, to the last bit
	$(VENV)/bin/mpiexec -n 2 $(VENV)/bin/python examples/_distributed.py

examples: $(VENV)/.examples $(VENV)/.silero $(VENV)/.sb3 ## run every example and say what each showed (ARGS="steep digits": these)
	$(VENV)/bin/python tests/run_examples.py $(ARGS)

test: venv ## the quick tests, with the examples in the docstrings: three to six minutes on two cores
	$(PYTEST)

# In the end those that time threads on all cores, one after another. 5: the ARGS select none of them.
test-slow: venv ## all tests
	$(PYTEST) -m "not alone"
	$(PYTEST) -n 0 -m alone || test $$? = 5

# Those of `make test`, which runs them too.
test-bridges: venv ## the tests of what connects fastrnn with other libraries: scikit-learn, sktime, PyTorch and aeon if they are there (about a minute)
	$(VENV)/bin/pytest -n $(WORKERS) tests/sklearn tests/bridges $(ARGS)

test-isa: venv ## the quick tests once on each engine that this machine can run
	@isas=$$($(VENV)/bin/python -c "import fastrnn; print(*fastrnn.isas())"); \
	test -n "$$isas"; \
	for isa in $$isas; do echo "== FASTRNN_ISA=$$isa"; FASTRNN_ISA=$$isa $(PYTEST) || exit 1; done

test-serial: ## the quick tests on a build without OpenMP (.venv-serial)
	$(MAKE) test VENV=.venv-serial VARIANT=-Ccmake.define.FASTRNN_OPENMP=OFF

# Every `>=` of the dependencies, read as `==`.
test-oldest: ## the quick tests with the oldest NumPy and safetensors that are supported (.venv-oldest)
	$(MAKE) .venv-oldest/bin/python VENV=.venv-oldest
	printf '%s\n' $(call requirements,["project"]["dependencies"]) | sed 's/>=/==/' > .venv-oldest/oldest.txt
	PIP_CONSTRAINT=$(abspath .venv-oldest/oldest.txt) $(MAKE) test VENV=.venv-oldest

# The interpreter itself is not sanitized, so libasan is loaded ahead of it, and libstdc++ with it, whose exceptions it
# intercepts (matplotlib throws some). Leaks: CPython's own would drown ours.
ASAN = -Ccmake.build-type=Debug -Ccmake.define.FASTRNN_SANITIZE=address,undefined
ASAN_ENV = LD_PRELOAD='$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so)' PYTHONMALLOC=malloc \
           ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1

# --capture=sys leaves file descriptor 2 alone: a report is printed even though the process dies.
# Without the examples, which train for long, by kernels that other tests run too, and the tests of the fuzzers, in which
# processes die: `make fuzz SANITIZE=1` runs these themselves.
asan: ## the quick tests under the address and undefined-behaviour sanitizers, asserts on (.venv-asan)
	$(MAKE) test VENV=.venv-asan VARIANT="$(ASAN)" TEST_ENV="$(ASAN_ENV)" \
	    ARGS="--capture=sys --timeout=600 --ignore-glob='*/tests/examples/*' --ignore=tests/fuzz $(ARGS)"

tsan: ## look for data races in csrc/ with ThreadSanitizer: needs Clang and its OpenMP runtime with Archer
	$(PYTHON) tests/find_races.py

# ARGS="layers files" names attacks, ARGS="layers --seed 17 --case 283" repeats a case: see tests/fuzz.
fuzz: ## attack a build in which small calls take every way (.venv-fuzz): SECONDS=120 SEED=17; SANITIZE=1: sanitized, too
	$(MAKE) attack VENV=.venv-fuzz$(if $(SANITIZE),-asan) TEST_ENV="$(if $(SANITIZE),$(ASAN_ENV))" \
	    VARIANT="-Ccmake.define.FASTRNN_SMALL_LIMITS=ON $(if $(SANITIZE),$(ASAN))"

soak: ## mixed use in one process: results keep their bits, and nothing grows: SECONDS=300 SEED=17
	$(MAKE) attack SECONDS=$(or $(SECONDS),300) ARGS="soak $(ARGS)"

attack: venv
	$(TEST_ENV) $(VENV)/bin/python tests/fuzz $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

# What needs a program that is not here is not run, and the table says so. APT=1 as root installs them.
portability: $(VENV)/.tools ## by other compilers and Pythons, on other machines: the same numbers? (PARTS="aarch64 wheel")
	$(VENV)/bin/pip install -q numpy
	PYTHONPATH=tests $(VENV)/bin/python -m portability $(if $(APT),--apt) $(PARTS)

# Other libraries are measured if they are installed: see benchmarks/README.md.
# {cpu} stands for the kind of CPU of this machine.
bench: $(VENV)/.bench ## measure everything, into benchmarks/results/: about an hour (ARGS=--quick: about three minutes)
	$(VENV)/bin/python -m fastrnn.benchmarks --out 'benchmarks/results/{cpu}' $(ARGS)

bench-check: $(VENV)/.bench ## compare with the results of this kind of CPU: as fast, relative to NumPy and to the roof?
	$(VENV)/bin/python -m fastrnn.benchmarks --check 'benchmarks/results/{cpu}/RESULTS.json' $(ARGS)

bench-render: $(VENV)/.bench ## write benchmarks/results/ anew, and what README.md and LIMITS.md show of it
	$(VENV)/bin/python -m fastrnn.benchmarks --render benchmarks/results

bench-kernels: $(VENV)/.bench ## time kernels and layers, with pytest-benchmark (ARGS="--benchmark-autosave")
	$(VENV)/bin/pytest benchmarks -o python_files='bench_*.py' -o python_functions='bench_*' --timeout=0 $(ARGS)

# -W: a warning fails the build, at its end. -E: every page anew, because each lists its neighbours.
docs: $(VENV)/.docs torch ## build the site into build/docs, and say how to open it
	$(VENV)/bin/sphinx-build -E -W --keep-going -q docs build/docs $(ARGS)
	@echo "The site: file://$(abspath build/docs/index.html)"

gallery: $(VENV)/.examples $(VENV)/.silero $(VENV)/.sb3 $(VENV)/.peers ## run the examples and keep in docs/gallery what they print and draw
	$(VENV)/bin/python docs/_ext/gallery.py $(ARGS)

# By hand: cmake -S . -B build/lib -DFASTRNN_MODULE=OFF && cmake --build build/lib && cmake --install build/lib
lib: $(VENV)/.tools ## build the library for C and C++, and install it into PREFIX=build/prefix (ARGS: options of CMake)
	$(VENV)/bin/cmake -S . -B build/lib -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(VENV)/bin/ninja) \
	    -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX=$(abspath $(PREFIX)) -DFASTRNN_MODULE=OFF \
	    -DFASTRNN_WERROR=$(WERROR) $(ARGS)
	$(VENV)/bin/cmake --build build/lib
	$(VENV)/bin/cmake --install build/lib

wheel: $(VENV)/bin/python ## build the wheel into dist/, from scratch, as a user's pip would
	rm -rf dist
	$(VENV)/bin/pip wheel --no-deps -w dist .
	@wc -c dist/*.whl | awk '{ printf "%s: %d bytes\n", $$2, $$1 }'

wheels: $(VENV)/.release ## build, repair and test the wheels of this platform into dist/ (on Linux in containers: needs Docker)
	$(VENV)/bin/cibuildwheel --output-dir dist

sdist: $(VENV)/.tools ## build the source distribution into dist/
	$(VENV)/bin/python -c 'from scikit_build_core.build import build_sdist; print(build_sdist("dist"))'

dist-check: venv ## build everything twice, in different directories: the same bytes, complete, and nothing besides?
	$(VENV)/bin/pytest -m "" tests/project/test_distributions.py $(ARGS)

tag-check: ## is TAG, as in TAG=v0.2.0, the version of pyproject.toml?
	@test "$(TAG)" = "v$$($(PYTHON) -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')"

lint: $(VENV)/.dev torch ## check style, types and sizes, and that csrc/ compiles without a build system
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/clang-format --dry-run -Werror $$(find csrc tests/portability tests/support examples/c -name '*.[ch]')
	$(PYRIGHT)
	$(PYRIGHT) -p tests/typing
	$(PYRIGHT) --ignoreexternal --verifytypes fastrnn
	$(VENV)/bin/mypy --python-executable $(VENV)/bin/python --config-file tests/typing/mypy.ini tests/typing/user_code.py
	$(VENV)/bin/validate-pyproject pyproject.toml
	$(VENV)/bin/zizmor --offline --quiet .github
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.citation-file-format --default-filetype yaml CITATION.cff
	for c in csrc/*.c csrc/engine/engine.c; do \
	    $(CC) -std=c11 -O2 -fopenmp -Wall -Wextra -Werror -c $$c -o $(VENV)/lint.o || exit 1; done

fmt: $(VENV)/.dev ## rewrite Python and C in the project's style
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .
	$(VENV)/bin/clang-format -i $$(find csrc tests/portability tests/support examples/c -name '*.[ch]')

clean: ## remove the environments and all that was built
	rm -rf .venv .venv-* build dist .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -prune -exec rm -rf {} +

# ---- the environment; each dot file says: this was installed, from what stood there at that time ----

# Requirements from pyproject.toml, which stays the only list.
requirements = $$($(VENV)/bin/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); print(*p$(1))')

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or later is needed: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# The build tools live in the environment (no build isolation), so that the build directory stays valid.
$(VENV)/.tools: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/pip install -q ninja "cmake>=3.26" $(call requirements,["build-system"]["requires"])
	touch $@

$(VENV)/.dev $(VENV)/.release: $(VENV)/.%: pyproject.toml | $(VENV)/bin/python
	$(VENV)/bin/pip install -q $(call requirements,["project"]["optional-dependencies"]["$*"])
	touch $@

# The two others: with what torch.onnx.export writes a model, and what then reads it.
$(VENV)/.torch: Makefile | $(VENV)/bin/python
	$(VENV)/bin/pip install -q torch==2.13.0 'onnxscript>=0.7.2' 'onnxruntime>=1.32'
	touch $@

# MPI for the trainings of several processes. MPICH has wheels for these machines and no others, none for musl: there the
# tests that need it are skipped, and say so.
$(VENV)/.mpi: pyproject.toml | $(VENV)/bin/python
	if $(VENV)/bin/python -c 'import platform, sysconfig; raise SystemExit( \
	    platform.machine() not in {"x86_64", "aarch64", "arm64"} or "musl" in sysconfig.get_config_var("SOABI"))'; \
	then $(VENV)/bin/pip install -q $(call requirements,["project"]["optional-dependencies"]["mpi"]) mpich; fi
	touch $@

# The weights of examples/silero.py: a package that requires PyTorch, which the example does not.
$(VENV)/.silero: $(VENV)/.examples
	$(VENV)/bin/pip install -q --no-deps silero-vad==6.2.3
	touch $@

# What examples/hidden_speeds.py trains with; the tests of recurrent policies run, too, where it is.
$(VENV)/.sb3: $(VENV)/.torch
	$(VENV)/bin/pip install -q sb3-contrib==2.9.2
	touch $@

# What examples/with_defaults.py is compared with; it leaves out what is not installed.
$(VENV)/.peers: $(VENV)/.torch
	$(VENV)/bin/pip install -q skorch==1.4.0 keras==3.15.1 tensorflow-cpu==2.21.0 'aeon>=1.6'
	touch $@

# .test, .demo, .examples, .bench or .docs: the package with that extra. The time of the stamp is the build's beginning:
# what is edited while the compiler runs is newer.
$(VENV)/.test $(VENV)/.demo $(VENV)/.examples $(VENV)/.bench $(VENV)/.docs: $(VENV)/.%: $(VENV)/.tools $(SOURCES)
	touch $@.begun
	$(VENV)/bin/pip install -q --no-build-isolation $(CONFIG) ".[$*]"
	mv $@.begun $@
