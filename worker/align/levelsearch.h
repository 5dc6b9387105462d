/*
 * levelsearch: follows candidate shifts down the L1 of a low-passed luma, whose noise is far below
 * that of the pixels: the stored level (factor 4; its rows cost a 48th of theirs), or one at factor
 * 1 or 2 made for images too small for that.
 * Owns: the planes it compares, with gain and unit folded in, grown and reused, and the losses of
 * the places descents came through, so that none is taken twice.
 * Threads: one at a time. Memory: one level; small images: 8 bytes a luma value; 100 KB.
 * Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_LEVELSEARCH_H
#define PM_WORKER_ALIGN_LEVELSEARCH_H

#include "worker/align/confirm.h"
#include "worker/align/prep_levels.h"

struct pm_levelsearch;

/* A minimum of the level's L1. */
struct pm_level_hill {
    int dy, dx;            /* level px */
    double top_dy, top_dx; /* level px; where the two slopes meet, within 0.5 */
    double loss;           /* full scale 1; over the region all nine neighbours share */
};

enum pm_code pm_levelsearch_new(struct pm_levelsearch **out, struct pm_err *err);
void pm_levelsearch_free(struct pm_levelsearch *search); /* NULL is fine */

/* 4, or less when the shorter side at 4 would be under 96 values. */
int pm_levelsearch_factor(const struct pm_image *image);
/* Makes the luma of a pair, at that factor, comparable. The images are at least 16x16. */
enum pm_code pm_levelsearch_begin(
    struct pm_levelsearch *search, const struct pm_align_query *query, struct pm_err *err);
/* The comparable levels: gt's and target's, w x h, rows stride apart; *unit: full scale 1 per
 * step. */
void pm_levelsearch_planes(const struct pm_levelsearch *search, const int16_t **gt,
    const int16_t **target, int *w, int *h, size_t *stride, double *unit);
/* Descends from (dy, dx), looking at every row_step-th row; with few rows (step > 2) 8 moves at
 * most. */
struct pm_level_hill pm_levelsearch_descend(
    struct pm_levelsearch *search, int dy, int dx, int row_step);
/* The loss of one shift, over every row_step-th row. */
double pm_levelsearch_loss(struct pm_levelsearch *search, int dy, int dx, int row_step);
struct pm_level_at {
    int dy, dx; /* level px */
    double loss;
};
/* The lowest local minima of a grid of shifts over the range, `spacing` apart; returns how many (at
 * most max). Where the gain is off or an overlap small, L1 is low where no correlation peaks. */
int pm_levelsearch_grid(
    struct pm_levelsearch *search, int spacing, int row_step, struct pm_level_at *lowest, int max);

/* Mean of gt over mean of (gain * target) where they overlap; NaN when there is none or it is dark.
 */
double pm_levelsearch_ratio(const struct pm_levelsearch *search, int dy, int dx);
/* The loss of places that have nothing to do with each other: shifts of a third of the image,
 * whatever the range. */
double pm_levelsearch_unrelated(struct pm_levelsearch *search);
/* Shifts whose L1 was taken since begin. */
int64_t pm_levelsearch_evaluations(const struct pm_levelsearch *search);

#endif
