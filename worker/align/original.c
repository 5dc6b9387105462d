#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/assess.h"
#include "worker/align/ops.h"

/* The greedy local search of RAWNIND.md 2.4, kept to compare with: it is not global, and where it
 * gets stuck the other methods find the smaller loss. */

#define REACH 3 /* px: a step looks at the 7x7 shifts around the best one */

/* The upstream table holds shifts in the order they were tried. Only its smallest loss matters, and
 * among equal ones the earliest, so the best so far and a map of what was tried replace it. */
struct original {
    unsigned char *tried; /* [dy + reach][dx + reach], 1: is in the table */
    size_t bytes;
    int reach; /* px, largest |dy| or |dx| that can be tried */
    double best_loss;
    int best_dy, best_dx;
    int64_t evaluations;
    struct pm_assess *assess;
};

static void original_stop(void *scratch)
{
    struct original *self = scratch;
    if (self == NULL) {
        return;
    }
    pm_assess_free(self->assess);
    free(self->tried);
    free(self);
}

static enum pm_code original_start(void **scratch, struct pm_err *err)
{
    struct original *self = calloc(1, sizeof *self);
    enum pm_code rc;
    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for method original");
    }
    rc = pm_assess_new(&self->assess, err);
    if (rc != PM_OK) {
        free(self);
        return rc;
    }
    *scratch = self;
    return PM_OK;
}

static enum pm_code reset(
    struct original *self, const struct pm_align_query *query, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    int longer = gt->w > gt->h ? gt->w : gt->h; /* a best shift has an overlap */
    size_t side, bytes;
    self->reach = (query->max_shift < longer ? query->max_shift : longer) + REACH;
    side = 2 * (size_t)self->reach + 1;
    bytes = side * side;
    if (bytes > self->bytes) {
        free(self->tried);
        self->bytes = 0;
        self->tried = malloc(bytes);
        if (self->tried == NULL) {
            return pm_err_set(err, PM_ENOMEM, "no memory for the table of method original");
        }
        self->bytes = bytes;
    }
    memset(self->tried, 0, bytes);
    self->best_loss = INFINITY;
    self->best_dy = self->best_dx = 0;
    self->evaluations = 0;
    return PM_OK;
}

/* Puts one shift into the table, unless it is there; a shift without overlap has no loss. */
static void try_shift(struct original *self, const struct pm_align_query *query, int dy, int dx)
{
    size_t side = 2 * (size_t)self->reach + 1;
    size_t i = (size_t)(dy + self->reach) * side + (size_t)(dx + self->reach);
    double loss;
    if (self->tried[i] != 0) {
        return;
    }
    self->tried[i] = 1;
    loss = pm_align_loss(query->gt->image, query->target->image, query->gain, dy, dx);
    if (isnan(loss)) {
        return;
    }
    self->evaluations++;
    if (loss < self->best_loss) { /* strictly: of equal ones the earliest stays */
        self->best_loss = loss;
        self->best_dy = dy;
        self->best_dx = dx;
    }
}

static void search(struct original *self, const struct pm_align_query *query)
{
    try_shift(self, query, 0, 0);
    while (self->best_loss > 0 && abs(self->best_dy) + abs(self->best_dx) < query->max_shift) {
        int dy = self->best_dy, dx = self->best_dx;
        for (int y = dy - REACH; y <= dy + REACH; y++) {
            for (int x = dx - REACH; x <= dx + REACH; x++) {
                try_shift(self, query, y, x);
            }
        }
        if (self->best_dy == dy && self->best_dx == dx) {
            break;
        }
    }
}

static enum pm_code original_run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct original *self = scratch;
    enum pm_code rc = reset(self, query, err);
    if (rc != PM_OK) {
        return rc;
    }
    search(self, query);
    shift->dy = self->best_dy;
    shift->dx = self->best_dx;
    shift->evaluations = self->evaluations;
    if (query->quality) {
        rc = pm_assess_answer(self->assess, query, NULL, 0, shift, err);
    }
    return rc;
}

const struct pm_align_ops pm_align_original = {
    .method = PM_METHOD_ORIGINAL,
    .start = original_start,
    .run = original_run,
    .stop = original_stop,
};
