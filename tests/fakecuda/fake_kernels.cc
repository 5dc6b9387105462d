/* The kernels by name, for a plugin whose host code nvcc has compiled: what it launches are its own
 * stubs, and the double runs these instead. */
#include "fake_run.h"

#include "pm_kernels.cuh"

#include <string.h>

#define KERNEL(name)                                                                               \
    {                                                                                              \
        #name, name                                                                                \
    }

extern "C" fake_kernel fake_kernel_of(const char *name)
{
    static const struct {
        const char *name;
        fake_kernel kernel;
    } all[] = {KERNEL(pm_k_total), KERNEL(pm_k_luma), KERNEL(pm_k_columns), KERNEL(pm_k_borders),
        KERNEL(pm_k_cross), KERNEL(pm_k_score), KERNEL(pm_k_peaks), KERNEL(pm_k_l1),
        KERNEL(pm_k_loss), KERNEL(pm_k_bins), KERNEL(pm_k_gather), KERNEL(pm_k_decide),
        KERNEL(pm_k_erode), KERNEL(pm_k_dilate)};
    for (const auto &k : all) {
        if (strcmp(k.name, name) == 0) {
            return k.kernel;
        }
    }
    return NULL;
}
