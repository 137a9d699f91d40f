# SPDX-License-Identifier: MIT
# libgenrep. Settings are on top; mk/ holds what they drive. Nothing built for the target runs during a build.
#
#   make            lib/libgenrep.a and lib/libgenrep.so
#   make demo       trains a VAE on the digits of data/digits (DATA=DIR: any IDX folder), pictures in out/
#   make check      the test suite          make check-full   with sanitizers, valgrind, clang, qemu, fuzzing
#   make help       the rest

# ---- what a user may set ----
PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
DESTDIR    ?=
CFLAGS     ?= -O2
CXX        ?= c++
# Flags that link a CBLAS (CBLAS=-lopenblas): its own numeric profile, off by default. CBLAS_CFLAGS: where its cblas.h is, when not on the default path.
CBLAS      ?=
CBLAS_CFLAGS ?=
# SIMD levels to build, those the compiler cannot make are left out; scalar is always there.
ISAS       ?= scalar sse2 avx2 avx512 neon
# 0: no threads at all: no pool, nothing of pthreads is linked; everything runs on the calling thread, with the same bits.
THREADS    ?= 1
# 1: for devices that run models and do not train: see INFER_OUT below and docs/building.md.
INFER_ONLY ?= 0
# 0: an error is a status, the call and the words of the status; saves some 30 KiB, and is what INFER_ONLY=1 has unless MESSAGES=1 is given.
MESSAGES   ?= $(if $(filter 1,$(INFER_ONLY)),0,1)
# 1: warnings are errors (check-full and .ci/run set it).
WERROR     ?= 0
# Put before every program that is run (RUN='qemu-aarch64 -L /usr/aarch64-linux-gnu').
RUN        ?=
# Test programs to run, all when empty (TESTS='test_rng checkkern').
TESTS      ?=

# ---- what the project fixes ----
SOMAJOR = 0
WARN    = -Wall -Wextra -Wpedantic -Wshadow -Wmissing-prototypes $(if $(filter 1,$(WERROR)),-Werror)
# After the user's flags, so that they win: the bits depend on them (docs/determinism.md).
STRICT  = -std=c99 -D_POSIX_C_SOURCE=200809L -D_FILE_OFFSET_BITS=64 -ffp-contract=off -fno-fast-math -fno-math-errno \
          -fno-tree-slp-vectorize -fno-unsafe-math-optimizations -fno-associative-math -fno-reciprocal-math -fno-finite-math-only -fsigned-zeros
PTHREAD = $(if $(filter 0,$(THREADS)),,-pthread)
SWITCHES = $(if $(filter 0,$(THREADS)),-DGM_NO_THREADS=1) $(if $(filter 1,$(INFER_ONLY)),-DGM_TRAINING=0) $(if $(filter 0,$(MESSAGES)),-DGM_MESSAGES=0,$(if $(filter 1,$(INFER_ONLY)),-DGM_MESSAGES=1))
OBJECT  = -fPIC -fvisibility=hidden $(PTHREAD) $(if $(filter 1,$(INFER_ONLY)),-ffunction-sections -fdata-sections)
# A plain -O2 build is small: for size outside of the kernels, and without unwind tables (callbacks must not throw; with -g they stay).
LEAN    = $(and $(filter -O2,$(CFLAGS)),$(if $(filter -g%,$(CFLAGS)),,lean))
SMALL   = $(if $(LEAN),-fno-asynchronous-unwind-tables $(if $(filter 1,$(INFER_ONLY)),$(PROBE_SMALL) $(PROBE_LOOPS),-Os))
SMALL_KERNELS = $(if $(LEAN),-fno-asynchronous-unwind-tables $(if $(filter 1,$(INFER_ONLY)),$(PROBE_SMALL)))
# Flags that would pull crtfastmath.o into a link and change the rounding state of the host.
UNLINK  = -Ofast -ffast-math -funsafe-math-optimizations -mdaz-ftz

# src/kernels files compiled once per level (-DGM_ISA=<level>), and the flags of a level.
ISA_SRC        = elem reduce random optim gemm_tile
ISA_SRC_scalar = $(ISA_SRC)
ISA_SRC_sse2   = elem gemm_tile
# Levels above scalar in an INFER_ONLY build.
ISA_SRC_small  = elem gemm_tile
ISA_FLAGS_sse2   = -msse2
ISA_FLAGS_avx2   = -mavx2 -mfma
ISA_FLAGS_avx512 = -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx2 -mfma -mprefer-vector-width=512

# What an INFER_ONLY build leaves out, below src/: training, datasets and their file formats, pictures. Every gm_ function of these files has a
# twin in models/infer_only.c or repr/infer_only.c that refuses. In files that stay, `if (GM_TRAINING)` does the same (base/build_info.h).
INFER_OUT  = kernels/conv_dw kernels/conv_dw_few kernels/optim \
             tensor/linalg \
             format/array format/csv format/csv_table format/deflate format/idx format/npy format/png format/pnm format/safetensors_write \
             format/svg format/wav \
             graph/grad graph/op_text graph/print \
             train/data_csv train/data_open train/data_pictures train/ema train/optim train/optim_text train/schedule train/series \
             models/gan_eval models/gan_fit models/gan_objective models/gan_penalty models/gan_step models/model_print models/vae_fit models/vae_step \
             repr/latent_augment repr/latent_calibrate repr/viz repr/viz_plot

all:

include mk/variant.mk
include mk/lib.mk
include mk/programs.mk
include mk/check.mk
include mk/install.mk

help:
	@sed -n '3,8s/^# \{0,1\}//p' Makefile
	@echo '  make examples   builds examples/         make experiment NAME=vae_mnist DATA=DIR ARGS="--seed 1"'
	@echo '  make bench      BENCH_ARGS="--only W1"   make docs    tables of docs/ from the headers'
	@echo '  make profile    BENCH_ARGS="--only W4"   where the time of a step goes'
	@echo '  make install    PREFIX= LIBDIR= INCLUDEDIR= BINDIR= MANDIR= DESTDIR=; uninstall, dist, clean'
	@echo '  make amalgamation   build/amalgamation/genrep.c and genrep.h'
	@echo 'Settings: CC CFLAGS CPPFLAGS LDFLAGS AR CBLAS CBLAS_CFLAGS ISAS THREADS INFER_ONLY MESSAGES WERROR RUN TESTS'

.PHONY: all help
.DELETE_ON_ERROR:
.SUFFIXES:
