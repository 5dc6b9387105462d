# gpu: the CUDA plugin, where there is a toolkit; included by ../../Makefile.

# The worker's CUDA part is a plugin opened at run time, so that no binary links CUDA. CUDA=auto
# builds it where there is a toolkit (CUDA_HOME, CUDA_PATH, /usr/local/cuda, nvcc on the PATH), yes
# fails without one, no never builds it. cuFFT's header tells a toolkit from a bare compiler.
CUDA_HOME ?= $(firstword $(wildcard $(CUDA_PATH) /usr/local/cuda))
NVCC ?= $(firstword $(wildcard $(CUDA_HOME)/bin/nvcc) $(shell command -v nvcc 2>/dev/null))
CUDA_INCLUDE := $(firstword $(wildcard $(CUDA_HOME)/include $(dir $(NVCC))../include))
HAVE_CUDA := $(if $(filter no,$(CUDA)),,$(if $(NVCC),$(if $(wildcard $(CUDA_INCLUDE)/cufft.h),1)))
ifneq ($(filter-out auto yes no,$(CUDA)),)
$(error CUDA=$(CUDA): use auto, yes or no)
endif
ifeq ($(CUDA)$(HAVE_CUDA),yes)
$(error CUDA=yes, but no nvcc with cufft.h was found: set CUDA_HOME, or use CUDA=auto or CUDA=no)
endif
CUDA_ARCH ?= -arch=all-major
# No contraction: what the device computes is what the tests' host compiler computes.
NVCC_FLAGS := -std=c++17 -O3 -fmad=false -Iworker/gpu -Xcompiler -fPIC,-Wall,-Wextra
CUDA_SRC := $(wildcard worker/gpu/*.cu worker/gpu/*.cuh) worker/gpu/pm_cuda.h worker/gpu/pm.map
PLUGIN := $(if $(HAVE_CUDA),$(BUILD)/pairmill-cuda.so)

# The plugin. -cudart static: the CUDA runtime needs no package of its own; cuFFT (290 MB) does.
$(BUILD)/pairmill-cuda.so: $(CUDA_SRC)
	@mkdir -p $(@D)
	$(SAY) NVCC $@
	$(Q)$(NVCC) $(CUDA_ARCH) $(NVCC_FLAGS) -shared -cudart static \
	    -Xlinker --version-script=worker/gpu/pm.map,-z,defs worker/gpu/pm_cuda.cu -o $@.part \
	    -L$(CUDA_INCLUDE)/../lib64 -lcufft && mv $@.part $@
