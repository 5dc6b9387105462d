#include "cli/bench_stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/kernels/cpu.h"

/* Twice the last-level cache, within reason: virtual machines report that of the whole host. */
#define EVICT_MIN ((size_t)32 << 20)
#define EVICT_MAX ((size_t)128 << 20)
#define EVICT_UNKNOWN ((size_t)64 << 20)

/* Four sums, so that no addition waits for the one before it. may_alias: data is anything. */
typedef uint64_t lanes __attribute__((vector_size(64), may_alias));

#define SUM_BODY                                                                                   \
    const lanes *at = data;                                                                        \
    size_t n = bytes / sizeof *at, i = 0;                                                          \
    lanes a = {0}, b = {0}, c = {0}, d = {0};                                                      \
    uint64_t sum = 0;                                                                              \
    for (; i + 4 <= n; i += 4) {                                                                   \
        a += at[i];                                                                                \
        b += at[i + 1];                                                                            \
        c += at[i + 2];                                                                            \
        d += at[i + 3];                                                                            \
    }                                                                                              \
    for (; i < n; i++) {                                                                           \
        a += at[i];                                                                                \
    }                                                                                              \
    a += b + c + d;                                                                                \
    for (int k = 0; k < 8; k++) {                                                                  \
        sum += a[k];                                                                               \
    }                                                                                              \
    return sum

static uint64_t sum_plain(const void *data, size_t bytes)
{
    SUM_BODY;
}

#if defined(__x86_64__) && defined(__GNUC__)
__attribute__((target("avx512f"))) static uint64_t sum_avx512(const void *data, size_t bytes)
{
    SUM_BODY;
}

__attribute__((target("avx2"))) static uint64_t sum_avx2(const void *data, size_t bytes)
{
    SUM_BODY;
}
#endif

uint64_t pm_stream_sum(const void *data, size_t bytes)
{
#if defined(__x86_64__) && defined(__GNUC__)
    switch (pm_cpu_level()) {
    case PM_CPU_AVX512:
        return sum_avx512(data, bytes);
    case PM_CPU_AVX2:
        return sum_avx2(data, bytes);
    case PM_CPU_PLAIN:
        break;
    }
#endif
    return sum_plain(data, bytes);
}

enum pm_code pm_evictor_init(struct pm_evictor *evictor, struct pm_err *err)
{
    long cache = -1;
#ifdef _SC_LEVEL3_CACHE_SIZE
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    size_t bytes = cache > 0 ? 2 * (size_t)cache : EVICT_UNKNOWN;
    bytes = bytes < EVICT_MIN ? EVICT_MIN : bytes > EVICT_MAX ? EVICT_MAX : bytes;
    evictor->bytes = bytes;
    evictor->data = aligned_alloc(64, bytes);
    if (evictor->data == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a buffer of %zu bytes", bytes);
    }
    memset(evictor->data, 1, bytes); /* pages never written are all the same zero page */
    return PM_OK;
}

void pm_evictor_free(struct pm_evictor *evictor)
{
    free(evictor->data);
    *evictor = (struct pm_evictor){0};
}

uint64_t pm_evict(const struct pm_evictor *evictor)
{
    return pm_stream_sum(evictor->data, evictor->bytes);
}
