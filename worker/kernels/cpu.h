/*
 * cpu: which SIMD variant of the kernels this process uses.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 * PAIRMILL_CPU=plain|avx2|avx512 in the environment forces a lower one, so that every variant is
 * tested on every machine; a value the machine cannot run is ignored.
 */
#ifndef PM_WORKER_KERNELS_CPU_H
#define PM_WORKER_KERNELS_CPU_H

enum pm_cpu { PM_CPU_PLAIN, PM_CPU_AVX2, PM_CPU_AVX512 };

enum pm_cpu pm_cpu_level(void);
const char *pm_cpu_name(enum pm_cpu level);

#endif
