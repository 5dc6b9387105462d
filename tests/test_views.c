/* views: what they cost does not grow with the jobs, counted in steps of SQLite's machine, which
 * are the same on every computer; `pairmill bench queue` measures the time at a million. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/bench_fill.h"
#include "tests/lib/queuekit.h"

#define SMALL 10 /* scenes, of 100 jobs */
#define LARGE 80

/* Also shapes that people ask for. */
static const char *const questions[] = {"select * from progress", "select * from throughput",
    "select * from eta", "select * from results limit 50", "select * from failures limit 5",
    "select * from unpaired limit 50", "select * from method_stats", "select * from cache_stats",
    "select * from scenes limit 5", "select * from slowest", "select * from workers",
    "select * from quarantine limit 5", "select * from stale limit 50", "select * from health",
    "select * from results where scene = 'scene000003'",
    "select * from results where gt_path = 'scene000003/gt/clean_00.tif'",
    "select * from results where job_id = 77", "select * from failures where scene = 'scene000003'",
    "select * from failures where code = 'EIO'", "select count(*) from stale where recipe = 'x'",
    "select * from results order by total_ms desc limit 50",
    "select * from results order by loss limit 50"};
#define QUESTIONS (sizeof questions / sizeof questions[0])

static long steps_of(struct pm_kit *kit, const char *sql)
{
    char command[1024];
    char line[1024];
    long steps = -1;
    snprintf(command, sizeof command,
        "printf '.stats vmstep\\n%%s;\\n' \"%s\" | sqlite3 -batch -readonly '%s' 2>&1", sql,
        kit->db);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    while (fgets(line, sizeof line, from) != NULL) {
        sscanf(line, "VM-steps: %ld", &steps);
    }
    pclose(from);
    return steps;
}

/* What the tool asks, sql/stmt/NAME.sql, with a screenful for its limit and no scene. Not
 * show_scenes: it sorts the scenes, of which there are few. */
static const char *const shown[] = {"show_results", "show_failures", "show_unpaired", "show_stale",
    "show_quarantine", "show_slowest"};
#define SHOWN (sizeof shown / sizeof shown[0])

static long steps_of_shown(struct pm_kit *kit, const char *name)
{
    char path[128];
    char sql[1024] = "";
    char line[256];
    snprintf(path, sizeof path, "sql/stmt/%s.sql", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "--", 2) != 0 && strncmp(line, "limit ", 6) != 0) {
            line[strcspn(line, "\n")] = ' ';
            strncat(sql, line, sizeof sql - strlen(sql) - 1);
        }
    }
    fclose(file);
    if (strcmp(name, "show_slowest") != 0) {
        strncat(sql, "limit 5", sizeof sql - strlen(sql) - 1);
    }
    return steps_of(kit, sql);
}

static void fill(struct pm_kit *kit, int scenes, long *steps)
{
    char recipe[17];
    struct pm_err err = {0};
    pm_kit_init(kit);
    pm_kit_store(kit);
    pm_conf_recipe(kit->conf, recipe, NULL, 0);
    assert_int_equal(pm_fill_scenes(kit->store, &kit->seen, 0, scenes, kit->now_us, &err), PM_OK);
    for (int done = 0, n; done < scenes * PM_FILL_JOBS * 3 / 4; done += n) {
        assert_int_equal(pm_fill_round(kit->store, recipe, kit->now_us, &n, &err), PM_OK);
    }
    for (size_t i = 0; i < QUESTIONS; i++) {
        steps[i] = steps_of(kit, questions[i]);
        if (steps[i] <= 0) {
            fail_msg("no answer: %s", questions[i]);
        }
    }
    for (size_t i = 0; i < SHOWN; i++) {
        steps[QUESTIONS + i] = steps_of_shown(kit, shown[i]);
        if (steps[QUESTIONS + i] <= 0) {
            fail_msg("no answer: %s", shown[i]);
        }
    }
}

static void eight_times_the_jobs_cost_no_more_steps(void **state)
{
    (void)state;
    static long small[QUESTIONS + SHOWN];
    static long large[QUESTIONS + SHOWN];
    struct pm_kit kit;
    fill(&kit, SMALL, small);
    pm_kit_fini(&kit);
    fill(&kit, LARGE, large);
    pm_kit_expect(&kit, "8000|5940", "select total, done from progress");
    pm_kit_fini(&kit);
    for (size_t i = 0; i < QUESTIONS + SHOWN; i++) {
        if (large[i] > small[i] + small[i] / 2 + 100) {
            fail_msg("%ld steps for %d jobs, %ld for %d: %s", small[i], SMALL * PM_FILL_JOBS,
                large[i], LARGE * PM_FILL_JOBS,
                i < QUESTIONS ? questions[i] : shown[i - QUESTIONS]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_times_the_jobs_cost_no_more_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
