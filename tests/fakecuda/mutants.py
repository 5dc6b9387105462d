#!/usr/bin/python3
"""Wrong kernels and wrong host code, one at a time: a test must fail for each. `make gpu-mutants`.

usage: mutants.py BUILD [NUMBER ...]

A mutant is (file, what is there, what replaces it, what that stands for). A plugin is built from
the mutated source against the double and the tests are run with it; a mutant of pairmill's own C is
linked before the archive. Not in the list, since nothing here catches it: a sum over blocks that is
not atomic. Blocks run one after the other on the double, and TSan, tried, did not see it either.
"""
import os
import shutil
import subprocess
import sys
import tempfile

K, D, C = "pm_kernels.cuh", "pm_device.cuh", "pm_cuda.cu"
SHAPE, BRING, STAGES = "pm_shape.cuh", "pm_bring.cuh", "pm_stages.cuh"
MUTANTS = (
    (K, "    pm_shared[threadIdx.x] = mine;\n    __syncthreads();", "    pm_shared[threadIdx.x] = mine;",
     "a missing barrier"),
    (K, "            pm_shared[threadIdx.x] += pm_shared[threadIdx.x + half];\n        }\n"
        "        __syncthreads();",
     "            pm_shared[threadIdx.x] += pm_shared[threadIdx.x + half];\n"
     "            __syncthreads();\n        }", "a divergent barrier"),
    (K, "    pm_shared[threadIdx.x] = mine;\n    __syncthreads();",
     "    pm_shared[threadIdx.x] = mine;\n    if (threadIdx.x % 2) {\n        __syncthreads();\n"
     "    } else {\n        __syncthreads();\n    }", "two different barriers"),
    (K, "    pm_shared[threadIdx.x] = mine;\n", "    if (threadIdx.x != 3) {\n"
     "        pm_shared[threadIdx.x] = mine;\n    }\n", "uninitialised shared memory"),
    (K, "        atomicAdd(&a.sums[0], sum);", "        a.sums[0] = sum;", "blocks overwrite each other"),
    (K, "if (y >= a.lh || x >= a.lw) {", "if (y >= a.lh) {", "padding not cleared"),
    (K, "int other = n - 1 - i;", "int other = i;", "the target's borders taken from the wrong side"),
    (K, "product.y = __fsub_rn(", "product.y = -__fsub_rn(", "the wrong one conjugated"),
    (K, "int y = dy < 0 ? a.pad_h + dy : dy", "int y = dy < 0 ? a.lh + dy : dy", "wrapped at the wrong size"),
    (K, "int y = side > 0 ? t : a.lh - 1 - t;", "int y = side > 0 ? t : a.lh - t;",
     "border rows off by one"),
    (K, "!(k < 4 && there == here)", "true", "two peaks on a plateau"),
    (K, "int gx = x + a.l1.dx - PM_CUDA_SPAN / 2 + sx;", "int gx = x + a.l1.dx + sx;",
     "L1 of other shifts"),
    (K, "y < a.l1.row_from[sy] || ", "", "L1 over rows outside the overlap"),
    (K, "(int)(i / a.image_w) * a.l1.row_step, x", "(int)(i / a.image_w), x", "L1 of other rows"),
    (K, "sum = __dadd_rn(sum, d);", "sum = (double)__fadd_rn((float)sum, (float)d);",
     "the loss summed in float"),
    (K, "__dsub_rn(gv, __dmul_rn(a.gain_double, tv))", "fma(-a.gain_double, tv, gv)",
     "the loss contracted"),
    (K, "int half = PM_LOSS_LANES / 2; half > 0; half /= 2) {\n            if (lane < half)",
     "int half = 1; half < PM_LOSS_LANES; half *= 2) {\n            if (lane % (2 * half) == 0)",
     "the lanes folded in another order"),
    (K, "__fmul_rn(all, 1.0e-5f)", "__fmul_rn(all, 1.0e-7f)", "bounds too narrow"),
    (K, "q = pm_madd(f, q, 1.0000001f);", "q = fmaf(f, q, 1.0000001f);", "bounds contracted"),
    (K, "if (pm_bounds(&a, (int)(i % a.w), (int)(i / a.w)).upper >=",
     "if (pm_bounds(&a, (int)(i % a.w), (int)(i / a.w)).lower >=", "gathers by the wrong bound"),
    (K, "            if (!keep && !((double)bound.lower >= a.threshold)) {",
     "            if (false) {", "open pixels not listed"),
    (K, "< a->exposed_from", "<= a->exposed_from", "exposure off by one"),
    (K, "(i > 0 ? row[i - 1] >> 63 : 0)", "0", "opening forgets the word before"),
    (K, "pm_u64 above = y > 0 ? row[i - a.words] : 0, below = y + 1 < a.h ? row[i + a.words] : 0;\n"
        "        a.opened", "pm_u64 above = y > 0 ? row[i - a.words] : ~0ull, below = y + 1 < a.h ? "
        "row[i + a.words] : 0;\n        a.opened", "outside counts as kept"),
    (K, "pm_right(row, i, a.words)) & a.ok[at]", "pm_right(row, i, a.words))", "exposure forgotten"),
    (D, "        PM_TRY(pm_settle(cuda, status));\n        memcpy((unsigned char *)to + at",
     "        memcpy((unsigned char *)to + at", "results read before they are there"),
    (D, "    PM_RT(cuda, cudaLaunchKernelExC(&config, (const void *)kernel, list));",
     "    cudaLaunchKernelExC(&config, (const void *)kernel, list);", "launch errors ignored"),
    (D, "            cuda->dead = cuda->hung = true;", "            looks = 0;\n"
     "            until = pm_now_ms() + 1e9;\n            continue;", "waits for ever"),
    (D, "        cuda->dead = true;\n        code = PM_CUDA_DEAD;\n    } else if",
     "        code = PM_CUDA_FAILED;\n    } else if", "a lost context is used again"),
    (D, "        cudaFree(*buffer);\n", "        if (cuda->buffer_count != 3) {\n"
     "            cudaFree(*buffer);\n        }\n", "a buffer leaks"),
    (D, "    if (cuda->opts.memory_max != 0 && cuda->opts.memory_max < *bytes) {", "    if (false) {",
     "gpu_memory_max ignored"),
    (C, "    drop_event(cuda->done);\n", "", "an event leaks"),
    (STAGES, "    a.spectrum = cuda->spectrum[PM_CUDA_TARGET];", "    a.spectrum = cuda->spectrum[PM_CUDA_GT];",
     "the gt's spectrum overwritten"),
    (STAGES, "    PM_TRY(pm_clear(cuda, a.sums, sizeof l1->sum, status));\n", "", "sums not cleared"),
    (STAGES, "    PM_TRY(pm_clear(cuda, a.bins, PM_CUDA_BINS * sizeof(unsigned), status));\n", "",
     "bins not cleared"),
    (SHAPE, "        PM_FFT(cuda, cufftSetWorkArea(cuda->backward.handle, cuda->work_area));\n", "",
     "a plan without its work area"),
    (BRING, "    if (cuda->in_use[slot]) {", "    if (false) {", "a chunk overwritten under the copy"),
    (BRING, "    PM_RT(cuda, cudaStreamWaitEvent(cuda->work, cuda->arrived, 0));\n", "",
     "kernels do not wait for the pixels"),
    (BRING, "cudaEventRecord(cuda->arrived, cuda->copy)", "cudaEventRecord(cuda->arrived, cuda->work)",
     "they wait for themselves"),
    (BRING, "    PM_RT(cuda, cudaEventRecord(cuda->arrived, cuda->copy));\n", "",
     "they wait for what was never recorded"),
    (BRING, "        PM_TRY(send_rows(cuda, cuda->pixels[which] + (size_t)y * pitch, from + (size_t)(y - y0) * pitch,\n"
            "            (size_t)(end - y) * pitch, status));\n"
            "        PM_TRY(take_band(cuda, which, end, mean, status));",
     "        PM_TRY(take_band(cuda, which, end, mean, status));\n"
     "        PM_TRY(send_rows(cuda, cuda->pixels[which] + (size_t)y * pitch, from + (size_t)(y - y0) * pitch,\n"
     "            (size_t)(end - y) * pitch, status));", "a band is taken before it is sent"),
    (BRING, "    PM_TRY(await_copies(cuda, status)); /* the span's end", "    /* the span's end",
     "the upload's clock is read too early"),
    (BRING, "    a.sums += which;", "    ", "both images summed in one place"),
    (BRING, "    return pm_clear(cuda, cuda->args.sums + which, sizeof(pm_u64), status);",
     "    return PM_CUDA_OK;", "the sum of the image before goes on"),
    (BRING, "a.pad_h : to / a.factor;", "a.pad_h : to / a.factor - 1;", "a row of luma left out at each band"),
    (BRING, "a.luma_to = to == a.image_h ? a.pad_h :", "a.luma_to = to == a.image_h ? a.lh :",
     "no padding below the last band"),
    (BRING, "    cuda->reduced[which] = true;\n", "    cuda->reduced[which] = true;\n"
     "    PM_TRY(pm_settle(cuda, status));\n", "the host waits for each image"),
    (BRING, "a.luma_from = a.row_from / a.factor;", "a.luma_from = (a.row_from + a.factor - 1) / a.factor;",
     "rows of luma lost where two bands meet"),
    (BRING, "    if (find_pin(cuda, from, bytes) != NULL) {", "    if (true) {", "all memory taken for pinned"),
    (BRING, "    if (find_pin(cuda, from, bytes) != NULL) {", "    if (false) {", "pinned memory copied all the same"),
    (BRING, "    code = pm_settle_copies(cuda, status);", "    code = PM_CUDA_OK;",
     "let go of while the device reads it"),
    (BRING, "    *pin = cuda->pins[--cuda->pin_count];\n", "", "taken for pinned for ever"),
    (SHAPE, "    pm_release_pinned(cuda);\n    return PM_CUDA_OK;", "    return PM_CUDA_OK;",
     "trim keeps the pinned buffers"),
    (SHAPE, "    pm_release(cuda);\n    pm_release_pinned(cuda);", "    pm_release_pinned(cuda);",
     "trim keeps the device's memory"),
    (C, "        drop_pins(cuda);\n", "", "what is pinned at the end stays so"),
    (K, "        int y = a.row_from + (int)(i / width);", "        int y = (int)(i / width);",
     "the first band summed again and again"),
    (BRING, "    memcpy(cuda->pinned[slot], from, bytes);", "    memcpy(cuda->pinned[slot], from, bytes - 2);",
     "the last sample not copied"),
    (BRING, "        cudaMemcpyAsync(to, cuda->pinned[slot], bytes,", "        cudaMemcpyAsync(to, from, bytes,",
     "copies from memory that is not pinned"),
    (C, "    if (!cuda->hung) {", "    if (true) {", "frees under a hanging device"),
    (STAGES, "    if (mask->list_count > a->list_max) {", "    if (false) {", "a list that is too long is believed"),
    ("gpusearch.c", "if (is_integer(image->sample) && sum != (double)total) {", "if (false) {",
     "pixels not compared with the decoder's"),
    ("gpusearch.c", "        (!kept && !arrived(gpu, PM_CUDA_GT, query->gt)) ||\n", "",
     "the gt's pixels not compared"),
    ("gpupin.c", "    if (pm_gpu_alive(gpu)) {\n        PM_GPU_CALL(gpu, unpin, data);", "    if (false) {\n"
     "        PM_GPU_CALL(gpu, unpin, data);", "freed while it is pinned"),
    ("gpu.c", "            pm_bufpool_trim(gpu->images);\n", "", "images stay pinned when nothing is wanted"),
    ("gpusearch.c", "gt_key == gpu->gt_key && mean == gpu->gt_mean &&", "", "another gt taken for this one"),
    ("gpu.c", "if (++gpu->strikes >= STRIKES) {", "if (false) {", "failures in a row go on for ever"),
    ("gpumask.c", "*quantile = values[job->reach - 1];", "*quantile = values[job->reach];",
     "the quantile off by a rank"),
    ("gpumask.c", "        if (exact_at(job, pixel) < job->scan->threshold) {", "        if (false) {",
     "open pixels not settled"),
)
TESTS = ("test_gpu_kernels", "test_gpumask", "test_cuda", "test_gpu", "test_gputest", "test_gpu_faults")
CXX = ["g++", "-std=c++17", "-O1", "-w", "-ffp-contract=off", "-fPIC", "-pthread"]


def sh(command, **kwargs):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **kwargs)


def must(command):
    done = sh(command)
    if done.returncode != 0:
        sys.exit(" ".join(command) + "\n" + done.stdout.decode())


def build_plugin(build, source):
    plugin = os.path.join(source, "pairmill-cuda.so")
    fakes = os.path.join(build, "tests", "fakecuda")
    runtime = os.path.join(fakes, "mutants-runtime.o")
    flags = CXX + ["-Itests/fakecuda"]
    if not os.path.exists(runtime):
        must(flags + ["-Iworker/gpu", "-c", "tests/fakecuda/fake_runtime.cc", "-o", runtime])
    must(flags + ["-I" + source, "-shared", "-x", "c++", source + "/pm_cuda.cu", "-x", "none", runtime,
                  fakes + "/fake_run.o", "-lfftw3f_threads", "-lfftw3f", "-lm", "-o", plugin])
    return plugin


def build_test(build, test, source, name):
    pkgs = "libuv sqlite3 fftw3f libtiff-4 libpng inih libxxhash libsystemd cmocka".split()
    libs = subprocess.check_output(["pkg-config", "--libs"] + pkgs, text=True).split()
    flags = "-std=c17 -D_GNU_SOURCE -I. -O1 -w -ffp-contract=off -pthread".split()
    out = os.path.join(source, test)
    must(["cc"] + flags + ["-o", out, f"{build}/tests/{test}.o", f"{source}/{name}",
                           f"{build}/tests/testlib.a", f"{build}/libpairmill.a"] + libs + ["-ldl", "-lm"])
    return out


def caught_by(build, mutant, source):
    name = mutant[0]
    env = dict(os.environ)
    env.pop("GPU_FAULTS", None)
    env["FAKEGPU_PLUGIN"] = (os.path.abspath(f"{build}/tests/fakecuda/pairmill-cuda.so")
                             if name.endswith(".c") else build_plugin(build, source))
    for test in TESTS:
        program = build_test(build, test, source, name) if name.endswith(".c") else f"{build}/tests/{test}"
        try:
            if sh([program], env=env, timeout=300).returncode != 0:
                return test
        except subprocess.TimeoutExpired:
            return test + " (never ended)"
    return None


def main():
    build, wanted = sys.argv[1], [int(n) for n in sys.argv[2:]]
    survived = tried = 0
    for number, mutant in enumerate(MUTANTS, 1):
        name, old, new, what = mutant
        if wanted and number not in wanted:
            continue
        with tempfile.TemporaryDirectory() as source:
            for file in os.listdir("worker/gpu"):
                shutil.copy("worker/gpu/" + file, source)
            text = open(f"{source}/{name}").read()
            if text.count(old) < 1:
                sys.exit(f"mutant {number} ({what}): its text is not in {name} any more")
            open(f"{source}/{name}", "w").write(text.replace(old, new, 1))
            by = caught_by(build, mutant, source)
            tried += 1
            survived += by is None
            print(f"{number:2} {'caught by ' + by if by else 'SURVIVED'}: {what} ({name})", flush=True)
    print(f"{tried} mutants, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
