#include "cli/bar.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    COLUMNS = 80, /* when the terminal does not say */
    LINE_EVERY_US = 10 * 1000 * 1000,
    LINE_EVERY_PERCENT = 5,
    FILL_MIN = 10, /* columns; less says nothing */
    FILL_MAX = 40
};

bool pm_bar_terminal(FILE *to)
{
    const char *term = getenv("TERM");
    return isatty(fileno(to)) && (term == NULL || strcmp(term, "dumb") != 0);
}

bool pm_bar_color(FILE *to)
{
    const char *no_color = getenv("NO_COLOR");
    return pm_bar_terminal(to) && (no_color == NULL || no_color[0] == '\0');
}

void pm_bar_init(struct pm_bar *bar, FILE *to, bool terminal, bool color, int64_t base,
    const struct pm_clock *clock)
{
    *bar = (struct pm_bar){.to = to,
        .clock = clock,
        .terminal = terminal,
        .color = color,
        .base = base,
        .start_us = clock->mono_us(clock->ctx),
        .last_line_percent = -1};
}

void pm_bar_duration(double seconds, char *text, size_t size)
{
    int64_t s = (int64_t)lround(seconds);
    if (s >= 86400) {
        snprintf(text, size, "%" PRId64 "d %02" PRId64 "h", s / 86400, s / 3600 % 24);
    } else if (s >= 3600) {
        snprintf(text, size, "%" PRId64 "h %02" PRId64 "m", s / 3600, s / 60 % 60);
    } else if (s >= 60) {
        snprintf(text, size, "%" PRId64 "m %02" PRId64 "s", s / 60, s % 60);
    } else {
        snprintf(text, size, "%" PRId64 "s", s);
    }
}

static int percent(const struct pm_bar_state *state)
{
    int64_t finished = state->done + state->failed;
    return state->total > 0 ? (int)(finished * 100 / state->total) : 0;
}

void pm_bar_rate(double rate, char *text, size_t size)
{
    snprintf(text, size, rate < 100 ? "%.3g" : "%.0f", rate);
}

/* What is known beside the counts: why nothing moves, or how fast it does and how long it takes. */
static void render_pace(const struct pm_bar_state *state, char *text, size_t size)
{
    int64_t left = state->total - state->done - state->failed;
    double per_s = state->elapsed_s > 0 ? (double)state->fresh / state->elapsed_s : 0;
    char time[32], rate[16];

    text[0] = '\0';
    if (state->paused) {
        snprintf(text, size, ", paused");
    } else if (state->retry_in_s > 0) {
        pm_bar_duration(state->retry_in_s, time, sizeof time);
        snprintf(text, size, ", next retry in %s", time);
    } else if (state->fresh > 0 && per_s > 0 && left > 0) {
        pm_bar_duration((double)left / per_s, time, sizeof time);
        pm_bar_rate(per_s * 60, rate, sizeof rate);
        snprintf(text, size, ", %s/min, %s left", rate, time);
    } else if (state->fresh > 0 && per_s > 0) {
        pm_bar_rate(per_s * 60, rate, sizeof rate);
        snprintf(text, size, ", %s/min", rate);
    }
}

void pm_bar_render(const struct pm_bar_state *state, int width, bool color, char *text, size_t size)
{
    char counts[96], pace[64], failed[48] = "", fill[FILL_MAX + 1] = "";
    int room, cells;

    snprintf(counts, sizeof counts, "%" PRId64 "/%" PRId64 " pairs", state->done + state->failed,
        state->total);
    render_pace(state, pace, sizeof pace);
    if (state->failed > 0) {
        snprintf(failed, sizeof failed, ", %" PRId64 " failed", state->failed);
    }
    /* "[fill] 100% " and the text share the line; its last column stays free, or it would wrap. */
    room = width - 1 - (int)(strlen(counts) + strlen(failed) + strlen(pace)) - 8;
    cells = room > FILL_MAX ? FILL_MAX : room;
    if (cells >= FILL_MIN) {
        int full = cells * percent(state) / 100;
        memset(fill, '.', (size_t)cells);
        memset(fill, '#', (size_t)full);
        fill[cells] = '\0';
        snprintf(text, size, "[%s] %3d%% %s%s%s%s%s", fill, percent(state), counts,
            color && failed[0] != '\0' ? "\033[31m" : "", failed,
            color && failed[0] != '\0' ? "\033[0m" : "", pace);
    } else {
        snprintf(text, size, "%.*s", width > 1 ? width - 1 : 0, counts);
    }
}

static int columns(const struct pm_bar *bar)
{
    struct winsize size;
    if (ioctl(fileno(bar->to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return COLUMNS;
}

static void fill_in(struct pm_bar *bar, struct pm_bar_state *state)
{
    int64_t fresh = state->done + state->failed - bar->base;
    state->fresh = fresh > 0 ? fresh : 0;
    state->elapsed_s = (double)(bar->clock->mono_us(bar->clock->ctx) - bar->start_us) / 1e6;
}

static void draw(struct pm_bar *bar, const struct pm_bar_state *state)
{
    char text[512];
    pm_bar_render(state, columns(bar), bar->color, text, sizeof text);
    fprintf(bar->to, "\r%s\033[K", text); /* and clear what an earlier, longer line left */
    fflush(bar->to);
    bar->drawn = true;
}

static void plain_line(struct pm_bar *bar, const struct pm_bar_state *state)
{
    char pace[64];
    render_pace(state, pace, sizeof pace);
    fprintf(bar->to, "%d%% %" PRId64 "/%" PRId64 " pairs, %" PRId64 " failed%s\n", percent(state),
        state->done + state->failed, state->total, state->failed, pace);
    fflush(bar->to);
    bar->last_line_us = bar->clock->mono_us(bar->clock->ctx);
    bar->last_line_percent = percent(state);
}

/* A line each 5% or 10 s, whichever comes first, and one as soon as there is anything to do. */
static bool line_is_due(const struct pm_bar *bar, const struct pm_bar_state *state)
{
    int64_t since_us = bar->clock->mono_us(bar->clock->ctx) - bar->last_line_us;
    if (bar->last_line_percent < 0) {
        return state->total > 0;
    }
    return since_us >= LINE_EVERY_US ||
           percent(state) >= bar->last_line_percent + LINE_EVERY_PERCENT;
}

void pm_bar_update(struct pm_bar *bar, struct pm_bar_state *state)
{
    fill_in(bar, state);
    if (bar->terminal) {
        draw(bar, state);
    } else if (line_is_due(bar, state)) {
        plain_line(bar, state);
    }
}

void pm_bar_clear(struct pm_bar *bar)
{
    if (bar->drawn) {
        fputs("\r\033[K", bar->to);
        fflush(bar->to);
        bar->drawn = false;
    }
}

void pm_bar_finish(struct pm_bar *bar, struct pm_bar_state *state)
{
    fill_in(bar, state);
    if (bar->terminal) {
        draw(bar, state);
        fputc('\n', bar->to);
        bar->drawn = false;
    } else if (state->total > 0 && percent(state) != bar->last_line_percent) {
        plain_line(bar, state);
    }
    fflush(bar->to);
}
