#include "worker/kernels/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#endif

static const char *const names[] = {"plain", "avx2", "avx512"};

/* What the machine can run. The AVX-512 kernels use F, BW, DQ, VL and VNNI: every server core with
 * AVX-512 since 2019 has them; older ones take the AVX2 variant. */
static enum pm_cpu highest(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
    unsigned eax, ebx, ecx = 0, edx;
    /* Half floats: asked here, since clang 14's __builtin_cpu_supports() does not know "f16c". The
     * registers they need are AVX2's, which is asked below together with the system's support. */
    bool halves = __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;

    __builtin_cpu_init();
    if (!halves || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        return PM_CPU_PLAIN;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni")) {
        return PM_CPU_AVX512;
    }
    return PM_CPU_AVX2;
#else
    return PM_CPU_PLAIN;
#endif
}

/* Asked once: in a virtual machine every cpuid is a trip to the host, ~4 us, and kernels are chosen
 * for every row of some passes. The answer is a constant of the machine, so it does not matter
 * which thread finds it first. */
static enum pm_cpu machine_level(void)
{
    static atomic_int known = -1;
    int level = atomic_load_explicit(&known, memory_order_relaxed);

    if (level < 0) {
        level = (int)highest();
        atomic_store_explicit(&known, level, memory_order_relaxed);
    }
    return (enum pm_cpu)level;
}

enum pm_cpu pm_cpu_level(void)
{
    const char *forced = getenv("PAIRMILL_CPU");
    enum pm_cpu most = machine_level();

    for (size_t i = 0; forced != NULL && i < sizeof names / sizeof names[0]; i++) {
        if (i <= (size_t)most && strcmp(forced, names[i]) == 0) {
            return (enum pm_cpu)i;
        }
    }
    return most;
}

const char *pm_cpu_name(enum pm_cpu level)
{
    return names[level];
}
