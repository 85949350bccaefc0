# The project's commands. The work is in scripts/ and CMakePresets.json; nothing here needs make itself.
JOBS ?= $(shell nproc)
PRESET ?= release

.PHONY: deps build demo test bench format lint fuzz dist test-gpu install clean
.NOTPARALLEL:

deps:  ## installs packages (Debian 12) and the tests' Python packages; does nothing where all is there
	@scripts/deps.sh

build:  ## build/tenon
	@scripts/deps.sh build
	@scripts/build.sh $(PRESET) $(JOBS) tenon

demo: build  ## the main job on the bundled example: export, val, predict
	@scripts/demo.sh

# Parts of the suite that run under the sanitizers each time; `make test PRESET=tsan` (asan-ubsan, debug) runs all of it.
TSAN_PART = base_tests runtime_tests
ASAN_PART = robustness_tests
FUZZ_TARGETS = $(patsubst fuzz/%.cc,fuzz_%,$(wildcard fuzz/*.cc))

test: deps  ## builds and runs every test of PRESET (release, with parts in tsan and asan-ubsan, and 10 s of each fuzz target); the last line is the count
	@scripts/build.sh $(PRESET) $(JOBS)
	@[ $(PRESET) != release ] || scripts/sanitize.sh tsan $(JOBS) $(TSAN_PART)
	@[ $(PRESET) != release ] || scripts/build.sh asan-ubsan $(JOBS) $(FUZZ_TARGETS)
	@[ $(PRESET) != release ] || scripts/sanitize.sh asan-ubsan $(JOBS) $(ASAN_PART)
	@[ $(PRESET) != release ] || scripts/fuzz.sh build-asan-ubsan 10 $(JOBS)
	@scripts/test.sh build$(if $(filter-out release,$(PRESET)),-$(PRESET)) $(JOBS)

bench:  ## speed beside ONNX Runtime and OpenVINO; wants a quiet machine
	@scripts/deps.sh build bench
	@scripts/build.sh release $(JOBS)
	@scripts/bench.sh

format:  ## formats all sources in place
	@scripts/deps.sh dev
	@scripts/lint.sh format

lint:  ## formatting and clang-tidy of what differs from main; FILES="..." for others, FILES=all for everything
	@scripts/deps.sh build test dev
	@scripts/lint.sh check $(FILES)

fuzz:  ## runs each fuzz target for SECONDS (10)
	@scripts/deps.sh build test
	@scripts/build.sh asan-ubsan $(JOBS) $(FUZZ_TARGETS)
	@scripts/fuzz.sh build-asan-ubsan $(or $(SECONDS),10) $(JOBS)

dist:  ## dist/: a relocatable folder with the program and its libraries, for devices (GPU=1: with the GPU test suite)
	@scripts/deps.sh build dist
	@scripts/build.sh release $(JOBS) tenon $(if $(GPU),check_conv check_async check_images cuda_conv_bench property_tests)
	@scripts/dist.sh dist $(if $(GPU),gpu)

test-gpu:  ## the GPU test suite, on a machine with a GPU and NVRTC; from its dist folder where nothing can be built
	@if [ -x ./test_gpu.sh ]; then ./test_gpu.sh; else $(MAKE) dist GPU=1 && dist/test_gpu.sh; fi

install:  ## the program, the shared library and its headers, into PREFIX (/usr/local)
	@scripts/deps.sh build
	@scripts/build.sh release $(JOBS) tenon tenon_shared
	@cmake --install build --prefix $(or $(PREFIX),/usr/local)

clean:
	@rm -rf build build-* dist runs
