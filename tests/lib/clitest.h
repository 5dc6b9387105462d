/*
 * clitest: a command of pairmill called inside a test, and a database for it to look at.
 * Owns: a temporary folder, and what the last call wrote.
 * Threads: one (the ledger's own besides). Memory: pm_clitest_close(). Errors: end the test.
 */
#ifndef PM_TESTS_LIB_CLITEST_H
#define PM_TESTS_LIB_CLITEST_H

#include <stdint.h>

#include "cli/cli.h"

struct pm_clitest {
    char dir[128]; /* holds in/, and p.conf with the source lab: in/ -> out/ */
    char db[160];  /* dir/p.db; not there until filled */
    char conf[160];
    char *out, *err; /* what the last call wrote */
};

void pm_clitest_open(struct pm_clitest *test);
/* Makes the database: scene "s" with gt/g.tif; s/a.tif and s/b.tif are done (dy 3, dx -4), s/c.tif
 * failed in decode with EFORMAT, s/d.tif is queued; "t/lonely.tif" has no partner. */
void pm_clitest_fill(struct pm_clitest *test);
/* Runs command with the words of line, which are separated by single blanks; %s in it stands for
 * the database (or what else its one argument is). Returns the exit code. */
int pm_clitest_call(struct pm_clitest *test, int (*command)(struct pm_cli *cli, int, char **),
    const char *name, const char *line, ...) __attribute__((format(printf, 4, 5)));
/* How many jobs are in a state ("queued"), asked through the progress view. */
int64_t pm_clitest_count(const struct pm_clitest *test, const char *state);
void pm_clitest_close(struct pm_clitest *test);

#endif
