#include "tests/lib/looping.h"

#include <stdatomic.h>
#include <stdlib.h>

#define PATIENCE_NS 60000000000u
#define DAY_US 86400000000

static void nothing(uv_timer_t *timer)
{
    (void)timer; /* only ends the loop's sleep */
}

static void free_timer(uv_handle_t *handle)
{
    free(handle);
}

bool pm_loop_until(uv_loop_t *loop, bool (*holds)(void *ctx), void *ctx)
{
    uint64_t end_ns = uv_hrtime() + PATIENCE_NS;
    uv_timer_t *timer = malloc(sizeof *timer);
    bool held = timer != NULL && holds(ctx);

    if (timer == NULL) {
        return false;
    }
    uv_timer_init(loop, timer);
    uv_timer_start(timer, nothing, 2, 2);
    while (!held && uv_hrtime() < end_ns) {
        uv_run(loop, UV_RUN_ONCE);
        held = holds(ctx);
    }
    uv_close((uv_handle_t *)timer, free_timer);
    return held;
}

bool pm_loop_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0;
}

static int64_t wall_us(void *ctx)
{
    return atomic_load(&((struct pm_fake_clock *)ctx)->wall_us);
}

static int64_t mono_us(void *ctx)
{
    return atomic_load(&((struct pm_fake_clock *)ctx)->mono_us);
}

void pm_fake_clock_init(struct pm_fake_clock *fake)
{
    fake->clock = (struct pm_clock){wall_us, mono_us, fake};
    atomic_init(&fake->wall_us, DAY_US);
    atomic_init(&fake->mono_us, DAY_US);
}

void pm_fake_clock_pass(struct pm_fake_clock *fake, int64_t us)
{
    atomic_fetch_add(&fake->wall_us, us);
    atomic_fetch_add(&fake->mono_us, us);
}
