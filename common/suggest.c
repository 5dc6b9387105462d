#include "common/suggest.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST = 64 }; /* letters; nobody mistypes a longer word into a known one */

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

static char plain(char c)
{
    return c == '-' ? '_' : c;
}

/* Optimal string alignment: the classic edit distance plus swaps of neighbours, the commonest slip.
 */
static int distance(const char *a, const char *b)
{
    const size_t na = strlen(a), nb = strlen(b);
    int row[3][LONGEST + 1]; /* rows i-2, i-1 and i of the table, in turn */

    if (na > LONGEST || nb > LONGEST) {
        return INT_MAX;
    }
    for (size_t j = 0; j <= nb; j++) {
        row[0][j] = (int)j;
    }
    for (size_t i = 1; i <= na; i++) {
        int *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int differs = plain(a[i - 1]) != plain(b[j - 1]);
            now[j] = min_int(last[j - 1] + differs, min_int(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && plain(a[i - 1]) == plain(b[j - 2]) &&
                plain(a[i - 2]) == plain(b[j - 1])) {
                now[j] = min_int(now[j], before[j - 2] + 1);
            }
        }
    }
    return row[na % 3][nb];
}

void pm_suggest_init(struct pm_suggest *suggest, const char *word)
{
    /* A third of the letters may be wrong: "wrokers" finds workers, "x" finds nothing. */
    *suggest = (struct pm_suggest){.word = word, .distance = (int)((strlen(word) + 1) / 3) + 1};
}

void pm_suggest_offer(struct pm_suggest *suggest, const char *candidate)
{
    int d = distance(suggest->word, candidate);
    if (d < suggest->distance) {
        suggest->distance = d;
        suggest->best = candidate;
    }
}
