# fakecuda: the CUDA plugin on a double of CUDA and cuFFT; included by ../../Makefile.
#
#   make gpu-faults     every call of CUDA fails in every way
#   make gpu-mutants    wrong kernels and wrong host code, one at a time, must be caught
#   make gpu-spills     no kernel spills registers, sm_75 to sm_121 (needs nvcc)

.PHONY: gpu-faults gpu-mutants gpu-spills

FAKE_DIR := $(BUILD)/tests/fakecuda
FAKE := $(FAKE_DIR)/pairmill-cuda.so $(FAKE_DIR)/old-plugin.so $(FAKE_DIR)/libcuda.so.1

# The same source on a CPU: compiled by the host against a double of CUDA and cuFFT, for the tests.
FAKE_FLAGS = -std=c++17 $(OPT) -Wall -Wextra -Wno-unknown-pragmas $(if $(WERROR),-Werror) \
	-ffp-contract=off -fPIC -Itests/fakecuda -Iworker/gpu -pthread $(SAN_FLAGS)
# FFTW's planner is one for the whole process, where other workers use it, too.
FAKE_LIBS := -lfftw3f_threads -lfftw3f -lm
# fake_run.cc plays the device under TSan and must not be watched itself.
FAKE_SRC := tests/fakecuda/fake_runtime.cc

$(FAKE_DIR)/fake_run.o: tests/fakecuda/fake_run.cc $(CUDA_SRC) $(wildcard tests/fakecuda/*.h)
	@mkdir -p $(@D)
	$(SAY) CXX $@
	$(Q)$(CXX) $(FAKE_FLAGS) $(if $(filter thread,$(SAN)),-fno-sanitize=thread -DFAKE_TSAN) \
	    -c -o $@ $<

$(FAKE_DIR)/pairmill-cuda.so: $(CUDA_SRC) $(FAKE_SRC) $(FAKE_DIR)/fake_run.o
	@mkdir -p $(@D)
	$(SAY) CXX $@
	$(Q)$(CXX) $(FAKE_FLAGS) -shared -x c++ worker/gpu/pm_cuda.cu $(FAKE_SRC) -x none \
	    $(FAKE_DIR)/fake_run.o $(FAKE_LIBS) -o $@

# The plugin as nvcc compiles its host code, on the double as its CUDA runtime and cuFFT.
NVCC_FAKE := $(FAKE_DIR)/nvcc
$(NVCC_FAKE)/libcudart.so.13: tests/fakecuda/fake_kernels.cc $(CUDA_SRC) $(FAKE_SRC) \
		$(FAKE_DIR)/fake_run.o
	@mkdir -p $(@D)
	$(SAY) CXX $@
	$(Q)$(CXX) $(FAKE_FLAGS) -shared -Wl,-soname,libcudart.so.13 $(FAKE_SRC) \
	    tests/fakecuda/fake_kernels.cc $(FAKE_DIR)/fake_run.o $(FAKE_LIBS) -o $@
	$(Q)echo 'int fake_cufft;' | $(CC) -shared -fPIC -Wl,-soname,libcufft.so.12 -x c - \
	    -o $(@D)/libcufft.so.12

# One architecture is enough: its device code is never run here.
$(NVCC_FAKE)/pairmill-cuda.so: $(CUDA_SRC) $(NVCC_FAKE)/libcudart.so.13
	$(SAY) NVCC $@
	$(Q)$(NVCC) -arch=sm_75 $(NVCC_FLAGS) -shared -cudart shared worker/gpu/pm_cuda.cu -o $@ \
	    -L$(CUDA_INCLUDE)/../lib64 -lcufft -Xlinker -rpath,'$$ORIGIN'

# What the loader asks for first.
$(FAKE_DIR)/libcuda.so.1: tests/fakecuda/fakecuda.mk
	@mkdir -p $(@D)
	$(Q)echo 'int fake_driver;' | $(CC) -shared -fPIC -Wl,-soname,$(@F) -x c - -o $@

# A plugin of another version.
$(FAKE_DIR)/old-plugin.so:
	@mkdir -p $(@D)
	$(Q)echo 'static const unsigned api[2] = {4711, 8}; const void *pm_cuda_plugin(void); \
	    const void *pm_cuda_plugin(void) { return api; }' | $(CC) -shared -fPIC -x c - -o $@

GPU_TESTS := gpu gpu_faults gpu_kernels gpuload gpumask gputest cuda cli_gpu decode pool
$(GPU_TESTS:%=$(BUILD)/tests/test_%): | $(FAKE)

# Every call of CUDA's in two pairs fails in every way; `make test` takes a sample.
gpu-faults: $(BUILD)/tests/test_gpu_faults
	GPU_FAULTS=all $(BUILD)/tests/test_gpu_faults

# Wrong kernels and wrong host code, one at a time; every one must be caught.
gpu-mutants: $(GPU_TESTS:%=$(BUILD)/tests/test_%)
	$(PYTHON) tests/fakecuda/mutants.py $(BUILD) $(MUTANTS)

# sm_75 to sm_121: no kernel may spill registers or use a stack.
gpu-spills:
	@mkdir -p $(FAKE_DIR)
	$(NVCC) $(foreach a,75 80 86 87 88 89 90 100 103 110 120 121,-gencode arch=compute_$a,code=sm_$a) \
	    $(NVCC_FLAGS) -Xptxas -v -c worker/gpu/pm_cuda.cu -o $(FAKE_DIR)/spills.o \
	    2>$(FAKE_DIR)/spills.txt || { cat $(FAKE_DIR)/spills.txt; exit 1; }
	@awk -f tests/fakecuda/spills.awk $(FAKE_DIR)/spills.txt

tests: $(FAKE) $(if $(HAVE_CUDA),$(if $(SAN),,$(NVCC_FAKE)/pairmill-cuda.so))
