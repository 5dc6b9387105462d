/*
 * log: one line an event on stderr, `job=17 step=align ms=12.4`, with the <3> prefix systemd reads.
 * Owns: the process's log level.
 * Threads: any; a line is one write(2), so lines never mix.
 * Memory: none kept; a line longer than 2 KiB is cut.
 * Errors: none; a log that cannot be written is lost, the work goes on.
 * Levels: err (a person must act), warn (retried or buried), info (start, stop, a line a job),
 * debug (a line a step). common/ and the kernels return errors instead of logging.
 */
#ifndef PM_COMMON_LOG_H
#define PM_COMMON_LOG_H

enum pm_log_level { PM_LOG_ERR, PM_LOG_WARN, PM_LOG_INFO, PM_LOG_DEBUG };

/* prefixed: start each line with <N> for the journal instead of a plain word. Before threads. */
void pm_log_init(enum pm_log_level level, int prefixed);
/* From now on; at any time, from any thread (the settings were read again). */
void pm_log_set_level(enum pm_log_level level);
void pm_log(enum pm_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
