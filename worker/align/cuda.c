#include <stdlib.h>

#include "worker/align/confirm.h"
#include "worker/align/ops.h"
#include "worker/align/quality.h"
#include "worker/gpu/gpu.h"

/* The GPU proposes, confirm.h decides: the device correlates at a finer level than the CPU could
 * afford and walks every peak downhill at full resolution by integer L1, which leaves confirm
 * little to do; but which shift wins, and how sure that is, is said by the same code as for every
 * other method, so that the answer and its flags do not depend on where the peaks were found. */

#define CANDIDATES 32 /* as method fft */

struct cuda {
    struct pm_confirm *confirm;
    struct pm_quality *quality;
};

static void cuda_stop(void *scratch)
{
    struct cuda *self = scratch;
    if (self != NULL) {
        pm_quality_free(self->quality);
        pm_confirm_free(self->confirm);
        free(self);
    }
}

static enum pm_code cuda_start(void **scratch, struct pm_err *err)
{
    struct cuda *self = calloc(1, sizeof *self);
    enum pm_code rc;
    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for method gpu");
    }
    rc = pm_confirm_new(&self->confirm, err);
    if (rc == PM_OK) {
        rc = pm_quality_new(&self->quality, err);
    }
    if (rc != PM_OK) {
        cuda_stop(self);
        return rc;
    }
    *scratch = self;
    return PM_OK;
}

static enum pm_code cuda_run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct cuda *self = scratch;
    struct pm_candidate list[CANDIDATES];
    struct pm_confirmed confirmed;
    int64_t evaluations = 0;
    int count = 0;
    enum pm_code rc;

    if (!pm_gpu_propose(query->gpu, query, query->gt_key, list, CANDIDATES, &count, &evaluations)) {
        return pm_err_set(err, PM_EUNSUPPORTED, "%s", pm_gpu_refusal(query->gpu));
    }
    rc = pm_confirm_run(self->confirm, query, list, count, &confirmed, err);
    if (rc != PM_OK) {
        return rc;
    }
    shift->dy = confirmed.dy;
    shift->dx = confirmed.dx;
    shift->backend = "cuda";
    shift->evaluations = evaluations + confirmed.evaluations;
    if (query->quality) {
        rc = pm_quality_measure(self->quality, query, &confirmed, shift, err);
    }
    return rc;
}

const struct pm_align_ops pm_align_cuda = {
    .method = PM_METHOD_GPU,
    .start = cuda_start,
    .run = cuda_run,
    .stop = cuda_stop,
};
