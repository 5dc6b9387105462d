/* motions: an object that moved is seen with its share of the frame and its shift; a whole scene,
 * its noise and a frame too small have none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/motions.h"

#define OBJECT_DY (-25) /* where the object's own part of gt lies */
#define OBJECT_DX 18

static const struct pm_synth scene = {.w = 480,
    .h = 400,
    .channels = 3,
    .sample = PM_U16,
    .dy = 7,
    .dx = -5,
    .gain = 1.3,
    .read = 0.01,
    .seed = 17};

static struct pm_motion_shares measure(struct pm_pair *pair, int max_shift, double ratio)
{
    struct pm_levelsearch *level;
    struct pm_motions *motions;
    struct pm_motion_shares shares[2];
    struct pm_align_query query = {
        .gt = &pair->gt, .target = &pair->target, .max_shift = max_shift};
    query.gain = pm_pair_plain_gain(pair);
    assert_int_equal(pm_levelsearch_new(&level, NULL), PM_OK);
    assert_int_equal(pm_motions_new(&motions, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(level, &query, NULL), PM_OK);
    for (int i = 0; i < 2; i++) { /* nothing is left over from the first */
        assert_int_equal(pm_motions_measure(motions, level, &query, scene.dy, scene.dx,
                             pm_levelsearch_factor(pair->gt.image), ratio, &shares[i], NULL),
            PM_OK);
    }
    assert_memory_equal(&shares[0], &shares[1], sizeof shares[0]);
    pm_motions_free(motions);
    pm_levelsearch_free(level);
    return shares[1];
}

/* gt and target of the scene; in the right `share` of the frame of another one, moved otherwise. */
static void open_with_object(struct pm_pair *pair, double share)
{
    struct pm_synth other = scene;
    struct pm_image *images[2], *objects[2];
    other.seed = 99;
    other.dy = OBJECT_DY;
    other.dx = OBJECT_DX;
    pm_synth_pair(&scene, &images[0], &images[1]);
    pm_synth_pair(&other, &objects[0], &objects[1]);
    for (int k = 0; k < 2; k++) {
        for (int y = 0; y < scene.h; y++) {
            for (int x = (int)((1 - share) * scene.w); x < scene.w; x++) {
                for (int c = 0; c < scene.channels; c++) {
                    pm_synth_put(images[k], y, x, c, pm_synth_get(objects[k], y, x, c));
                }
            }
        }
        pm_image_free(objects[k]);
    }
    pm_pair_wrap(pair, images[0], images[1]);
}

static void an_object_has_its_share_and_its_shift(void **state)
{
    (void)state;
    for (int i = 1; i <= 3; i++) {
        double share = 0.2 * i;
        struct pm_pair pair;
        struct pm_motion_shares found;
        open_with_object(&pair, share);
        found = measure(&pair, 40, NAN);
        assert_true(found.blocks > 50);
        assert_true(abs(found.dy - OBJECT_DY) <= 4 && abs(found.dx - OBJECT_DX) <= 4);
        assert_true(fabs((double)found.second / found.blocks - share) < 0.12);
        assert_true(fabs((double)found.first / found.blocks - (1 - share)) < 0.15);
        pm_pair_close(&pair);
    }
    pm_motions_free(NULL);
}

static void a_scene_of_one_piece_has_no_second(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct pm_synth spec = scene;
        struct pm_pair pair;
        struct pm_motion_shares found;
        spec.sample = (enum pm_sample)kind;
        spec.read = kind == 2 ? 0.2 : 0.01; /* so much noise that no block says anything */
        spec.scene = kind == 3 ? PM_SYNTH_SMOOTH : PM_SYNTH_TEXTURE;
        pm_pair_open(&pair, &spec);
        found = measure(&pair, 40, NAN);
        assert_true(found.second <= 0.05 * found.blocks);
        assert_true(kind >= 2 || found.first > 0.7 * found.blocks);
        pm_pair_close(&pair);
    }
}

/* A gain that is off makes every block unexplained at the right shift; the ratio mends it. */
static void the_overlap_s_own_brightness_counts(void **state)
{
    (void)state;
    struct pm_pair pair;
    struct pm_motion_shares found;
    pm_pair_open(&pair, &scene);
    found = measure(&pair, 40, 1);
    assert_true(found.first > 0.7 * found.blocks);
    assert_true(measure(&pair, 40, 1.5).first < 0.6 * found.first);
    pm_pair_close(&pair);
}

static void a_small_frame_says_nothing(void **state)
{
    (void)state;
    struct pm_synth spec = scene;
    struct pm_pair pair;
    spec.w = 30;
    spec.h = 20;
    pm_pair_open(&pair, &spec);
    assert_int_equal(measure(&pair, 8, NAN).blocks, 0);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_has_its_share_and_its_shift),
        cmocka_unit_test(a_scene_of_one_piece_has_no_second),
        cmocka_unit_test(the_overlap_s_own_brightness_counts),
        cmocka_unit_test(a_small_frame_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
