#include "worker/align/assess.h"

#include <stdlib.h>

#include "worker/align/hills.h"
#include "worker/align/quality.h"

struct pm_assess {
    struct pm_confirm *confirm;
    struct pm_quality *quality;
    struct pm_hills *hills;
};

enum pm_code pm_assess_new(struct pm_assess **out, struct pm_err *err)
{
    struct pm_assess *assess = calloc(1, sizeof *assess);
    enum pm_code rc;

    if (assess == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to assess a shift");
    }
    rc = pm_confirm_new(&assess->confirm, err);
    if (rc == PM_OK) {
        rc = pm_quality_new(&assess->quality, err);
    }
    if (rc == PM_OK) {
        rc = pm_hills_new(&assess->hills, err);
    }
    if (rc != PM_OK) {
        pm_assess_free(assess);
        return rc;
    }
    *out = assess;
    return PM_OK;
}

void pm_assess_free(struct pm_assess *assess)
{
    if (assess == NULL) {
        return;
    }
    pm_quality_free(assess->quality);
    pm_confirm_free(assess->confirm);
    pm_hills_free(assess->hills);
    free(assess);
}

enum pm_code pm_assess_answer(struct pm_assess *assess, const struct pm_align_query *query,
    const struct pm_candidate *others, int count, struct pm_shift *shift, struct pm_err *err)
{
    struct pm_candidate candidates[1 + PM_ASSESS_OTHERS + PM_HILLS_MOST];
    struct pm_confirmed confirmed;
    enum pm_code rc;
    int n = 0, hills = 0;

    candidates[n++] = (struct pm_candidate){.dy = shift->dy, .dx = shift->dx};
    for (int i = 0; i < count && i < PM_ASSESS_OTHERS; i++) {
        candidates[n++] = others[i];
    }
    if (query->plans != NULL) {
        rc = pm_hills_search(assess->hills, query, PM_HILLS_USUAL, candidates + n, &hills, err);
    } else { /* nothing to correlate with: what L1 finds */
        rc = pm_hills_of_peaks(
            assess->hills, query, PM_HILLS_USUAL, NULL, 0, candidates + n, &hills, err);
    }
    if (rc == PM_OK) {
        rc = pm_confirm_run(assess->confirm, query, candidates, n + hills, &confirmed, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_quality_measure(assess->quality, query, &confirmed, shift, err);
    if (rc == PM_OK && (confirmed.dy != shift->dy || confirmed.dx != shift->dx)) {
        shift->confidence = 0;
    }
    return rc;
}
