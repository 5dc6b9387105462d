/*
 * suggest: which of the known words somebody meant by a misspelt one.
 * Owns: nothing; the words offered must outlive the search.
 * Threads: a search belongs to one thread. Memory: none allocated. Errors: none.
 */
#ifndef PM_COMMON_SUGGEST_H
#define PM_COMMON_SUGGEST_H

struct pm_suggest {
    const char *word; /* as typed */
    const char *best; /* the nearest word offered so far, if near enough; NULL: none */
    int distance;     /* of best: letters changed, added, dropped or swapped; - and _ alike */
};

void pm_suggest_init(struct pm_suggest *suggest, const char *word);
void pm_suggest_offer(struct pm_suggest *suggest, const char *candidate);

#endif
