# capmill: `make` builds the programs into bin/, to be run from there.
# make demo, make test: do all their own set-up (deps, build, run).
# SAN=1 builds with ASan and UBSan into a folder of its own; CC=clang works as well.

PREFIX ?= /usr/local
CC = gcc
BUILD ?= build$(if $(SAN),/san)
BIN ?= $(if $(SAN),$(BUILD)/bin,bin)

VERSION := $(shell cat VERSION)
comma := ,
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
OPT = -O2
ifdef SAN
OPT = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef FUZZ
OPT = -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
endif
# -ffp-contract=off: the compiler may not fuse a product and a sum behind our back; where
# we want fused arithmetic we write it. It is part of "equal bits".
CFLAGS = -std=c11 -g $(OPT) $(WARN) -pthread -ffp-contract=off \
    -ffile-prefix-map='$(CURDIR)'=.
# In kernels a comparison need not keep the exceptions' flags nor a square root errno, which
# nobody reads: loops with either can then be vectorised. No number changes by it.
LOOPS = -fno-trapping-math -fno-math-errno
CPPFLAGS := -D_GNU_SOURCE -MMD -MP
# libgomp is linked in, so that kernels/cpu/spin.c can set its manners.
OPENMP := $(if $(findstring clang,$(CC)),-fopenmp,-Wl$(comma)-Bstatic -lgomp -Wl$(comma)-Bdynamic -ldl)
LDLIBS := $(OPENMP) -ljansson -lpcre2-8 -lutf8proc -lxxhash -lz -lzstd -ljpeg -lwebp -lwebpdemux -lcurl -lflint-arb -lflint -lgmp -lm

# CUDA: a plug-in, where nvcc is. CUDA=0: none; CUDA_ARCHS=90a: for that GPU alone.
NVCC ?= $(shell command -v nvcc)
CUDA ?= $(if $(NVCC),1,0)
CUDA_ARCHS ?= 80 90a 100
CUDA_SOURCES := $(wildcard kernels/cuda/*.cu)
# Its kernels, run by the host compiler's code: for tests (kernels/cuda/host/blocks.h).
CUDA_HOST_OBJ := $(patsubst kernels/%,$(BUILD)/kernels/%.host.o,$(CUDA_SOURCES) $(wildcard kernels/cuda/host/*.cc))

PROGRAMS := $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
LIB_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard lib/*/*.c))
KERNEL_OBJ := $(patsubst %.c,$(BUILD)/%.o,$(wildcard kernels/*.c kernels/cpu/*.c))
SOURCES = $(shell git ls-files '*.c' '*.h')
GPU_BENCHES := $(BUILD)/tests/bench-gpu $(BUILD)/tests/bench-step
BENCHES := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/bench-*.c))
C_DRIVERS := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/*-driver.c))
C_TESTS := $(patsubst tests/c/%.c,$(BUILD)/tests/%,$(wildcard tests/c/*-test.c))
LIBRARY := $(BUILD)/libcapmill.a
SAY = $(if $(V),,@echo '  $@' && )# V=1 shows the whole commands

all: $(addprefix $(BIN)/,$(PROGRAMS)) $(if $(filter 1,$(CUDA)),$(BUILD)/capmill-cuda.so)

# The include paths hold the layers: cmd sees lib, lib sees kernels, nothing looks back.
$(BUILD)/cmd/%.o: cmd/%.c
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) -Ilib -c -o $@ $<
$(BUILD)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) -Ilib -Ikernels -DCAPMILL_VERSION='"$(VERSION)"' -c -o $@ $<
$(BUILD)/kernels/%.o: kernels/%.c
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) -fopenmp -O3 $(LOOPS) $(ISA_FLAGS) -Ikernels -c -o $@ $<
# Files named *_avx2.c alone are compiled for AVX2; they are called only where it is there.
$(BUILD)/kernels/cpu/%_avx2.o: ISA_FLAGS = -mavx2 -mfma -mf16c

CUDA_GENCODE = $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
    -gencode arch=compute_$(firstword $(CUDA_ARCHS)),code=compute_$(firstword $(CUDA_ARCHS))
$(BUILD)/kernels/cuda/%.cu.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(SAY)$(NVCC) -std=c++20 -O3 -fmad=false $(CUDA_GENCODE) -MMD -MP -Xcompiler \
	    -fPIC,-Wall,-Wextra -Ikernels -Ikernels/cuda -c -o $@ $<
$(BUILD)/kernels/arr.pic.o: kernels/arr.c
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) -fPIC -Ikernels -c -o $@ $<
# With no library of C++: it may be taken to a machine that has none, or an older one.
$(BUILD)/capmill-cuda.so: $(patsubst %,$(BUILD)/%.o,$(CUDA_SOURCES)) $(BUILD)/kernels/arr.pic.o
	$(SAY)$(NVCC) -shared -cudart static -Xcompiler -static-libstdc++,-static-libgcc -o $@ $^
CXXFLAGS = -std=c++20 -g $(OPT) -Wall -Wextra -Wshadow -Werror -ffp-contract=off -fPIC \
    -fno-exceptions -fno-rtti -DCUDA_ON_HOST -Ikernels -Ikernels/cuda
$(BUILD)/kernels/cuda/%.host.o: kernels/cuda/%
	@mkdir -p $(@D)
	$(SAY)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -c -x c++ -o $@ $<
$(BUILD)/libcuda-host.a: $(CUDA_HOST_OBJ)
	@rm -f $@
	$(SAY)$(AR) rcs $@ $^
$(BUILD)/cuda-on-host.so: $(CUDA_HOST_OBJ) $(BUILD)/kernels/arr.pic.o
	$(SAY)$(CC) $(CFLAGS) -shared -o $@ $^

$(LIBRARY): $(LIB_OBJ) $(KERNEL_OBJ)
	@rm -f $@
	$(SAY)$(AR) rcs $@ $^
$(BIN)/%: $(BUILD)/cmd/%.o $(LIBRARY)
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)
CUDA_TESTS := $(filter %/kernels-test %/quant-test $(BUILD)/tests/cuda%,$(C_TESTS))
$(CUDA_TESTS): TEST_LIBRARIES = $(BUILD)/libcuda-host.a
$(CUDA_TESTS): $(BUILD)/libcuda-host.a
$(BUILD)/tests/%: tests/c/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) $(if $(findstring bench,$@),-O3 -mavx2 -mfma -fopenmp) \
	    -Ilib -Ikernels -Itests/c -o $@ $(filter %.c,$^) $(TEST_LIBRARIES) $(LIBRARY) $(LDLIBS)
$(BUILD)/tests/fault-server-driver: $(wildcard tests/c/server/*.c tests/c/server/*.h)
$(filter $(BUILD)/tests/net-%,$(C_TESTS)): | $(BUILD)/tests/fault-server-driver
$(BUILD)/%-fuzz: tests/fuzz/%-fuzz.c $(LIBRARY)
	$(SAY)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer -Ilib -Ikernels -o $@ $< $(LIBRARY) $(LDLIBS)

.PHONY: all deps deps-dev deps-cuda demo test test-long test-real bench gpu-kit test-gpu bench-gpu lint fuzz format install clean check-fresh
.SECONDARY:
-include $(wildcard $(addprefix $(BUILD)/,*.d */*.d */*/*.d */*/*/*.d))
$(LIB_OBJ): VERSION

deps:
	@tools/deps
deps-dev:
	@tools/deps dev
deps-cuda: # nvcc and the CUDA runtime, from NVIDIA's package source
	@tools/deps cuda

# -- Tests ---------------------------------------------------------------------------------

test:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -j$$(nproc) test-programs
	@tests/run $(BUILD) $(BIN) $(ONLY)
test-long: # the long forms: hundreds of kill rounds and mutations
	@LONG=1 $(MAKE) --no-print-directory test
test-real: # a trained model; fetches 491 MB once
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@tests/real.sh $(BUILD) $(BIN)
test-programs: all $(C_TESTS) $(C_DRIVERS) $(BUILD)/cuda-on-host.so $(if $(LONG),$(GPU_BENCHES))

# -- What a newcomer types -----------------------------------------------------------------

demo:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -s -j$$(nproc) all
	@pipelines/demo.sh

bench:
	@$(MAKE) --no-print-directory deps-dev
	@$(MAKE) --no-print-directory -s -j$$(nproc) all $(BENCHES)
	@tests/bench.sh $(BUILD) $(BIN)

# -- On a machine with a GPU: from what gpu-kit gathered, there or elsewhere ----------------

gpu-kit:
	@$(MAKE) --no-print-directory deps
	@$(MAKE) --no-print-directory -s -j$$(nproc) all $(C_TESTS) $(GPU_BENCHES)
	@tools/gpu-kit $(BUILD) $(BIN)
test-gpu:
	@tests/gpu.sh $(BUILD) $(ONLY)
bench-gpu:
	@tests/bench-gpu.sh $(BUILD)

# -- Care ----------------------------------------------------------------------------------

lint:
	@$(MAKE) --no-print-directory deps-dev
	@tools/lint $(BUILD)
format:
	clang-format -i $(SOURCES)
fuzz: # FUZZ_SECONDS per target, seeds from tests/data
	@$(MAKE) --no-print-directory deps-dev
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz FUZZ=1 \
	    $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*-fuzz.c))
	@tests/fuzz.sh build/fuzz $(or $(FUZZ_SECONDS),60)
check-fresh: # README's two commands in a minimal Debian 12
	@$(MAKE) --no-print-directory deps-dev
	@tools/check-fresh

TO = '$(DESTDIR)$(PREFIX)'
install: all
	install -d $(TO)/bin $(TO)/share/man/man1 $(TO)/share/man/man7 $(TO)/share/capmill \
	    $(TO)/share/bash-completion/completions $(TO)/share/doc/capmill/examples
	install -m 755 $(addprefix $(BIN)/,$(PROGRAMS)) $(TO)/bin
	install -m 644 man/*.1 $(TO)/share/man/man1
	install -m 644 man/*.7 $(TO)/share/man/man7
	install -m 644 LICENSE README.md $(TO)/share/doc/capmill
	install -m 644 examples/* $(TO)/share/doc/capmill/examples
	chmod 755 $(TO)/share/doc/capmill/examples/*.sh
	cp -r pipelines $(TO)/share/doc/capmill
	cp -r share/. $(TO)/share/capmill
	chmod -R u=rwX,go=rX $(TO)/share/doc/capmill $(TO)/share/capmill # whatever the umask
	if [ -e $(BUILD)/capmill-cuda.so ]; then install -D -m 644 $(BUILD)/capmill-cuda.so \
	    $(TO)/lib/capmill/capmill-cuda.so; fi
	umask 022; for p in $(PROGRAMS); do $(BIN)/$$p --completion bash \
	    > $(TO)/share/bash-completion/completions/$$p || exit 1; done
clean:
	rm -rf build bin
