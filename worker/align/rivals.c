#include "worker/align/rivals.h"

#define PERIOD_PX 2 /* of the mosaics of RAWNIND.md 2.2, on both axes */

int pm_rivals_of(int channels, int dy, int dx, struct pm_candidate out[PM_RIVALS_MOST])
{
    int n = 0;

    for (int step = 1; step <= (channels == 1 ? PERIOD_PX : 1); step++) {
        for (int i = 0; i < 9; i++) {
            if (i != 4) {
                out[n++] = (struct pm_candidate){
                    .dy = dy + step * (i / 3 - 1), .dx = dx + step * (i % 3 - 1)};
            }
        }
    }
    return n;
}
