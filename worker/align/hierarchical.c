#include "worker/align/finish.h"
#include "worker/align/ops.h"
#include "worker/kernels/cpu.h"

/* From coarse to fine (the figures are for 24 MP RGB):
 *   1. correlation of the luma at factor 8 at every shift: all peaks        750 x 500
 *   2. L1 descent from every peak on the level at factor 4, few rows first  1500 x 1000
 *   3. confirm.h at full resolution from those the level cannot tell apart
 * hills.h does 1 and 2, finish.h does 3 and, in doubt, all of it again with more care. */

static void stop(void *scratch)
{
    pm_finish_free(scratch);
}

static enum pm_code start(void **scratch, struct pm_err *err)
{
    struct pm_finish *finish;
    enum pm_code rc = pm_finish_new(&finish, err);

    if (rc == PM_OK) {
        *scratch = finish;
    }
    return rc;
}

static enum pm_code run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct pm_finish *finish = scratch;
    struct pm_hills *hills = pm_finish_hills(finish);
    struct pm_candidate found[PM_HILLS_MOST];
    int count;
    enum pm_code rc = pm_hills_search(hills, query, PM_HILLS_USUAL, found, &count, err);

    if (rc != PM_OK) {
        return rc;
    }
    shift->backend = pm_cpu_name(pm_cpu_level());
    shift->evaluations = pm_hills_evaluations(hills);
    return pm_finish_run(finish, query, found, count, shift, err);
}

const struct pm_align_ops pm_align_hierarchical = {
    .method = PM_METHOD_HIERARCHICAL, .start = start, .run = run, .stop = stop};
