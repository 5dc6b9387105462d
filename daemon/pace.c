#include "daemon/pace.h"

static int last_of(const struct pm_pace *pace)
{
    return (pace->next + PM_PACE_SAMPLES - 1) % PM_PACE_SAMPLES;
}

void pm_pace_note(struct pm_pace *pace, int64_t now_us, int64_t count)
{
    if (pace->used > 0 && now_us - pace->at_us[last_of(pace)] < 1000000) {
        return;
    }
    pace->at_us[pace->next] = now_us;
    pace->count[pace->next] = count;
    pace->next = (pace->next + 1) % PM_PACE_SAMPLES;
    pace->used += pace->used < PM_PACE_SAMPLES;
}

double pm_pace_per_min(const struct pm_pace *pace)
{
    int last = last_of(pace);
    int first = pace->used < PM_PACE_SAMPLES ? 0 : pace->next;
    int64_t counted;
    if (pace->used < 2) {
        return 0;
    }
    counted = pace->count[last] - pace->count[first];
    return counted <= 0 ? 0
                        : (double)counted * 6e7 / (double)(pace->at_us[last] - pace->at_us[first]);
}
