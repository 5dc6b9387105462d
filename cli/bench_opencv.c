#include "cli/bench_opencv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3" /* Debian's, the one python3-opencv is installed for */
#define NOT_THERE 77              /* the script's exit code for a missing module */

/* argv: two open files with h rows of w floats, w, h, how many timings. The first call is not
 * counted. phaseCorrelate(a, b) tells t with b(x) = a(x - t): from target to gt, that is our sign.
 */
static const char script[] =
    "import os, sys, time\n"
    "try:\n"
    "    import cv2, numpy as np\n"
    "except ImportError:\n"
    "    sys.exit(77)\n"
    "gt_fd, target_fd, w, h, n = map(int, sys.argv[1:6])\n"
    "cv2.setNumThreads(1)\n"
    "def load(fd):\n"
    "    os.lseek(fd, 0, os.SEEK_SET)\n"
    "    with os.fdopen(fd, 'rb') as f:\n"
    "        return np.fromfile(f, np.float32, w * h).reshape(h, w)\n"
    "gt, target = load(gt_fd), load(target_fd)\n"
    "times = []\n"
    "for i in range(n + 1):\n"
    "    start = time.perf_counter()\n"
    "    (dx, dy), response = cv2.phaseCorrelate(target, gt)\n"
    "    times.append((time.perf_counter() - start) * 1000)\n"
    "print(cv2.__version__, repr(float(dy)), repr(float(dx)), *map(repr, times[1:]))\n";

/* Rec. 601 weights, as cv2.cvtColor has them. */
static float luma(const struct pm_image *image, const void *row, int x)
{
    static const float weights[3] = {0.299f, 0.587f, 0.114f};
    float sum = 0;
    for (int c = 0; c < image->channels; c++) {
        int i = x * image->channels + c;
        float value = 0;
        switch (image->sample) {
        case PM_U8:
            value = (float)((const uint8_t *)row)[i] / 255.0f;
            break;
        case PM_U16:
            value = (float)((const uint16_t *)row)[i] / 65535.0f;
            break;
        case PM_F16:
            value = pm_half_to_float(((const uint16_t *)row)[i]);
            break;
        case PM_F32:
            value = ((const float *)row)[i];
            break;
        }
        sum += value * (image->channels == 3 ? weights[c] : 1.0f);
    }
    return sum;
}

static enum pm_code write_luma(FILE *file, const struct pm_image *image, struct pm_err *err)
{
    float *line = malloc((size_t)image->w * sizeof *line);
    enum pm_code rc = PM_OK;
    if (line == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    for (int y = 0; y < image->h && rc == PM_OK; y++) {
        const void *row = pm_image_row(image, y);
        for (int x = 0; x < image->w; x++) {
            line[x] = luma(image, row, x);
        }
        if (fwrite(line, sizeof *line, (size_t)image->w, file) != (size_t)image->w) {
            rc = pm_err_errno(err, errno, "cannot write a temporary file for opencv");
        }
    }
    if (rc == PM_OK && fflush(file) != 0) {
        rc = pm_err_errno(err, errno, "cannot write a temporary file for opencv");
    }
    free(line);
    return rc;
}

/* A file that vanishes with its descriptor. */
static FILE *nameless(struct pm_err *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    FILE *file = NULL;
    int fd;

    snprintf(path, sizeof path, "%s/pairmill-XXXXXX", folder != NULL ? folder : P_tmpdir);
    fd = mkstemp(path);
    if (fd >= 0) {
        unlink(path);
        file = fdopen(fd, "w+");
        if (file == NULL) {
            close(fd);
        }
    }
    if (file == NULL) {
        pm_err_errno(
            err, errno, "cannot make a temporary file in %s; set TMPDIR to a folder", path);
    }
    return file;
}

/* "4.6.0 -3.01 7.98 1450.2 1448.7 ..." */
static bool parse(char *text, struct pm_opencv_answer *out)
{
    char *save = NULL;
    const char *word = strtok_r(text, " \n", &save);
    double numbers[PM_BENCH_REPEAT_MAX + 2];
    int count = 0;

    if (word == NULL) {
        return false;
    }
    snprintf(out->version, sizeof out->version, "%s", word);
    while (count < PM_BENCH_REPEAT_MAX + 2 && (word = strtok_r(NULL, " \n", &save)) != NULL) {
        numbers[count++] = strtod(word, NULL);
    }
    if (count < 3) {
        return false;
    }
    out->dy = numbers[0];
    out->dx = numbers[1];
    out->count = count - 2;
    memcpy(out->ms, numbers + 2, (size_t)out->count * sizeof *numbers);
    return true;
}

static _Noreturn void exec_python(
    const char *python, int out_fd, FILE *const files[2], const struct pm_image *image, int repeat)
{
    char words[5][16];
    snprintf(words[0], sizeof words[0], "%d", fileno(files[0])); /* open across exec */
    snprintf(words[1], sizeof words[1], "%d", fileno(files[1]));
    snprintf(words[2], sizeof words[2], "%d", image->w);
    snprintf(words[3], sizeof words[3], "%d", image->h);
    snprintf(words[4], sizeof words[4], "%d", repeat);
    if (dup2(out_fd, STDOUT_FILENO) >= 0) {
        execl(python, python, "-c", script, words[0], words[1], words[2], words[3], words[4],
            (char *)NULL);
    }
    _exit(NOT_THERE);
}

/* Everything the child writes, then its exit code; -1 when it did not end by itself. */
static int collect(pid_t pid, int fd, char *text, size_t size)
{
    size_t used = 0;
    ssize_t n;
    int status = 0;
    while (used + 1 < size &&
           ((n = read(fd, text + used, size - 1 - used)) > 0 || (n < 0 && errno == EINTR))) {
        used += n > 0 ? (size_t)n : 0;
    }
    text[used] = '\0';
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static enum pm_code ask(FILE *const files[2], const struct pm_image *image, int repeat,
    const char *python, struct pm_opencv_answer *out, struct pm_err *err)
{
    char text[64 + 32 * PM_BENCH_REPEAT_MAX];
    int ends[2], code;
    pid_t pid;

    if (pipe(ends) != 0) {
        return pm_err_errno(err, errno, "cannot make a pipe to %s", python);
    }
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        exec_python(python, ends[1], files, image, repeat);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return pm_err_errno(err, errno, "cannot start %s", python);
    }
    code = collect(pid, ends[0], text, sizeof text);
    close(ends[0]);
    if (code == NOT_THERE) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s with cv2 is not here; on Debian: apt-get install python3-opencv", python);
    }
    if (code != 0 || !parse(text, out)) {
        return pm_err_set(err, PM_EIO, "%s ran cv2.phaseCorrelate and ended with %d", python, code);
    }
    return PM_OK;
}

enum pm_code pm_bench_opencv(const struct pm_bench_pair *pair, int repeat, const char *python,
    struct pm_opencv_answer *out, struct pm_err *err)
{
    FILE *files[2] = {nameless(err), NULL};
    enum pm_code rc = PM_EIO; /* nameless() told */

    if (files[0] == NULL) {
        goto out;
    }
    files[1] = nameless(err);
    if (files[1] == NULL) {
        goto out;
    }
    rc = write_luma(files[0], pair->gt, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = write_luma(files[1], pair->target, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = ask(files, pair->gt, repeat, python != NULL ? python : PYTHON, out, err);
out:
    for (int i = 0; i < 2; i++) {
        if (files[i] != NULL) {
            fclose(files[i]);
        }
    }
    return rc;
}
