/*
 * pm_kernels: everything that runs on the device. Included by pm_cuda.cu only.
 *
 * One signature for all: the arguments by value in one struct. Shared memory comes at the launch,
 * as many 64-bit words as the block has threads. No warp intrinsics, no divergent barriers, integer
 * sums wherever a sum is kept, every float step by an _rn intrinsic: so no compiler may contract
 * it, and the bounds of the mask are those of worker/kernels/lossmap.c to the bit.
 * Grid-stride loops: any number of blocks does the whole work.
 */
#ifndef PM_WORKER_GPU_PM_KERNELS_CUH
#define PM_WORKER_GPU_PM_KERNELS_CUH

#include "pm_kargs.cuh"

extern __shared__ pm_u64 pm_shared[];

__device__ static inline pm_u64 pm_first(void)
{
    return (pm_u64)blockIdx.x * blockDim.x + threadIdx.x;
}

__device__ static inline pm_u64 pm_stride(void)
{
    return (pm_u64)gridDim.x * blockDim.x;
}

/* ---- samples ---- */

/* lossmap.c's half_to_float(), bit for bit; exact. */
__device__ static inline float pm_half(unsigned short half)
{
    unsigned magnitude = (unsigned)(half & 0x7fff) << 13;
    unsigned special = 0u - (unsigned)(magnitude >= 0x0f800000u);
    unsigned value = __float_as_uint(__fmul_rn(__uint_as_float(magnitude), 0x1p112f));
    value = (value & ~special) | ((magnitude | 0x7f800000u) & special);
    return __uint_as_float(value | (unsigned)(half & 0x8000) << 16);
}

__device__ static inline const unsigned char *pm_row(struct pm_kimage image, int y)
{
    return image.data + (pm_u64)y * image.pitch;
}

/* A sample in its own units. */
__device__ static inline float pm_value(int sample, const unsigned char *row, int i)
{
    if (sample == PM_CUDA_U8) {
        return (float)row[i];
    }
    if (sample == PM_CUDA_U16) {
        return (float)((const unsigned short *)row)[i];
    }
    if (sample == PM_CUDA_F16) {
        return pm_half(((const unsigned short *)row)[i]);
    }
    return ((const float *)row)[i];
}

/* Its bits. */
__device__ static inline unsigned pm_word(int sample, const unsigned char *row, int i)
{
    if (sample == PM_CUDA_U8) {
        return row[i];
    }
    if (sample == PM_CUDA_F32) {
        return ((const unsigned *)row)[i];
    }
    return ((const unsigned short *)row)[i];
}

__device__ static inline bool pm_is_integer(int sample)
{
    return sample == PM_CUDA_U8 || sample == PM_CUDA_U16;
}

/* The sum over the block, in every thread; all threads come here. */
__device__ static inline pm_u64 pm_block_sum(pm_u64 mine)
{
    pm_u64 all;
    pm_shared[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned half = PM_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            pm_shared[threadIdx.x] += pm_shared[threadIdx.x + half];
        }
        __syncthreads();
    }
    all = pm_shared[0];
    __syncthreads();
    return all;
}

/* ---- statistics, luma and its spectrum ---- */

/* sums[0] += all sample words of the band. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_total(const struct pm_kargs a)
{
    pm_u64 width = (pm_u64)a.image_w * a.channels;
    pm_u64 n = width * (a.row_to - a.row_from), sum = 0;
    for (pm_u64 i = pm_first(); i < n; i += pm_stride()) {
        int y = a.row_from + (int)(i / width);
        sum += pm_word(a.sample, pm_row(a.gt, y), (int)(i % width));
    }
    sum = pm_block_sum(sum);
    if (threadIdx.x == 0) {
        atomicAdd(&a.sums[0], sum);
    }
}

/* Means of the band's factor x factor blocks less the image's mean, and zeros around them. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_luma(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)a.pad_w * a.luma_to;
    int per = a.factor * a.channels;
    for (pm_u64 i = (pm_u64)a.pad_w * a.luma_from + pm_first(); i < n; i += pm_stride()) {
        int y = (int)(i / a.pad_w), x = (int)(i % a.pad_w);
        float sum = 0;
        if (y >= a.lh || x >= a.lw) {
            a.real[i] = 0;
            continue;
        }
        for (int r = 0; r < a.factor; r++) {
            const unsigned char *row = pm_row(a.gt, y * a.factor + r);
            for (int c = 0; c < per; c++) {
                sum = __fadd_rn(sum, pm_value(a.sample, row, x * per + c));
            }
        }
        a.real[i] = __fsub_rn(__fmul_rn(sum, a.unit), a.mean);
    }
}

/* Sums of every luma column less its first t rows (index ry + t) or its last t (ry - t). */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_columns(const struct pm_kargs a)
{
    for (pm_u64 x = pm_first(); x < (pm_u64)a.lw; x += pm_stride()) {
        double sum = 0, square = 0;
        for (int y = 0; y < a.lh; y++) {
            double v = (double)a.real[(pm_u64)y * a.pad_w + x];
            sum += v;
            square += v * v;
        }
        for (int side = -1; side <= 1; side += 2) {
            double left = sum, left_square = square;
            for (int t = 0; t <= a.ry; t++) {
                pm_u64 at = (pm_u64)(a.ry + side * t) * a.lw + x;
                int y = side > 0 ? t : a.lh - 1 - t;
                double v = (double)a.real[(pm_u64)y * a.pad_w + x];
                a.column_sum[at] = left;
                a.column_square[at] = left_square;
                left -= v;
                left_square -= v * v;
            }
        }
    }
}

__device__ static inline double pm_block_sum_double(double mine)
{
    double *shared = (double *)pm_shared;
    double all;
    shared[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned half = PM_THREADS / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) {
            shared[threadIdx.x] += shared[threadIdx.x + half];
        }
        __syncthreads();
    }
    all = shared[0];
    __syncthreads();
    return all;
}

/* The same for columns: sums over the image less t rows and s columns, each of its first or last. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_borders(const struct pm_kargs a)
{
    int side_x = 2 * a.rx + 1;
    for (int ty = (int)blockIdx.x; ty < 2 * a.ry + 1; ty += (int)gridDim.x) {
        const double *sums = a.column_sum + (pm_u64)ty * a.lw;
        const double *squares = a.column_square + (pm_u64)ty * a.lw;
        double sum = 0, square = 0;
        for (int x = (int)threadIdx.x; x < a.lw; x += PM_THREADS) {
            sum += sums[x];
            square += squares[x];
        }
        sum = pm_block_sum_double(sum);
        square = pm_block_sum_double(square);
        for (int tx = (int)threadIdx.x; tx < side_x; tx += PM_THREADS) {
            int less = tx - a.rx;
            int from = less > 0 ? 0 : a.lw + less, to = less > 0 ? less : a.lw;
            double left = sum, left_square = square;
            for (int x = from; x < to; x++) {
                left -= sums[x];
                left_square -= squares[x];
            }
            a.border_sum[ty * side_x + tx] = left;
            a.border_square[ty * side_x + tx] = left_square;
        }
    }
}

/* spectrum = spectrum_gt * conj(spectrum) */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_cross(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)(a.pad_w / 2 + 1) * a.pad_h;
    for (pm_u64 i = pm_first(); i < n; i += pm_stride()) {
        float2 g = a.spectrum_gt[i], t = a.spectrum[i], product;
        product.x = __fadd_rn(__fmul_rn(g.x, t.x), __fmul_rn(g.y, t.y));
        product.y = __fsub_rn(__fmul_rn(g.y, t.x), __fmul_rn(g.x, t.y));
        a.spectrum[i] = product;
    }
}

/* Zero-mean normalised correlation over each shift's own overlap; 0 where either image is even. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_score(const struct pm_kargs a)
{
    int side_x = 2 * a.rx + 1, n = side_x * (2 * a.ry + 1);
    for (int i = (int)pm_first(); i < n; i += (int)pm_stride()) {
        int dy = i / side_x - a.ry, dx = i % side_x - a.rx;
        int other = n - 1 - i; /* the target loses the opposite rows and columns */
        int y = dy < 0 ? a.pad_h + dy : dy, x = dx < 0 ? a.pad_w + dx : dx;
        double count = (double)(a.lh - abs(dy)) * (double)(a.lw - abs(dx));
        double g = a.border_sum_gt[i], t = a.border_sum[other];
        double cross = (double)a.real[(pm_u64)y * a.pad_w + x] / ((double)a.pad_w * a.pad_h);
        double gg = a.border_square_gt[i] - g * g / count;
        double tt = a.border_square[other] - t * t / count;
        double floor = 1e-12 * count; /* a deviation of 1e-6 of full scale */
        a.score[i] = gg > floor && tt > floor ? (float)((cross - g * t / count) / sqrt(gg * tt)) : 0;
    }
}

/* Local maxima as worker/align/peaks.c defines them: at most every other shift each way. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_peaks(const struct pm_kargs a)
{
    int side_x = 2 * a.rx + 1, side_y = 2 * a.ry + 1;
    for (int i = (int)pm_first(); i < side_x * side_y; i += (int)pm_stride()) {
        int y = i / side_x, x = i % side_x;
        float here = a.score[i];
        bool peak = true;
        for (int k = 0; k < 9; k++) {
            int ny = y - 1 + k / 3, nx = x - 1 + k % 3;
            if (k == 4 || ny < 0 || ny >= side_y || nx < 0 || nx >= side_x) {
                continue;
            }
            float there = a.score[ny * side_x + nx];
            peak = peak && !(there > here) && !(k < 4 && there == here);
        }
        if (peak) {
            struct pm_cuda_peak *out = &a.peaks[atomicAdd(a.count, 1u)];
            out->dy = (y - a.ry) * a.factor;
            out->dx = (x - a.rx) * a.factor;
            out->score = here;
        }
    }
}

/* ---- integer L1 ---- */

/* A sample times its share of the gain, as an integer. */
__device__ static inline int pm_weighted(
    int sample, const unsigned char *row, int i, unsigned mul, float scale)
{
    const float limit = 536870912.0f;
    if (pm_is_integer(sample)) {
        return (int)(pm_word(sample, row, i) * mul);
    }
    return __float2int_rn(fminf(fmaxf(__fmul_rn(pm_value(sample, row, i), scale), -limit), limit));
}

/* All shifts of the neighbourhood while a target pixel is at hand. The bound of two blocks allows
 * 128 registers: 50 hold the sums, and with three blocks sm_120 spills some. */
extern "C" __global__ void __launch_bounds__(PM_THREADS, 2) pm_k_l1(const struct pm_kargs a)
{
    int rows = (a.image_h + a.l1.row_step - 1) / a.l1.row_step;
    pm_u64 n = (pm_u64)rows * a.image_w;
    pm_u64 sum[PM_SHIFTS];
    for (int k = 0; k < PM_SHIFTS; k++) {
        sum[k] = 0;
    }
    for (pm_u64 i = pm_first(); i < n; i += pm_stride()) {
        int y = (int)(i / a.image_w) * a.l1.row_step, x = (int)(i % a.image_w);
        const unsigned char *target_row = pm_row(a.target, y);
#pragma unroll
        for (int k = 0; k < PM_SHIFTS; k++) {
            int sy = k / PM_CUDA_SPAN, sx = k % PM_CUDA_SPAN;
            if (y < a.l1.row_from[sy] || y >= a.l1.row_to[sy] || x < a.l1.column_from[sx] ||
                x >= a.l1.column_to[sx]) {
                continue;
            }
            int gx = x + a.l1.dx - PM_CUDA_SPAN / 2 + sx;
            const unsigned char *gt_row = pm_row(a.gt, y + a.l1.dy - PM_CUDA_SPAN / 2 + sy);
            for (int c = 0; c < a.channels; c++) {
                int g = pm_weighted(
                    a.sample, gt_row, gx * a.channels + c, a.l1.gt_mul, a.l1.gt_scale);
                int t = pm_weighted(a.sample, target_row, x * a.channels + c, a.l1.target_mul,
                    a.l1.target_scale);
                sum[k] += (unsigned)abs(g - t);
            }
        }
    }
#pragma unroll
    for (int k = 0; k < PM_SHIFTS; k++) {
        pm_u64 all = pm_block_sum(sum[k]);
        if (threadIdx.x == 0) {
            atomicAdd(&a.sums[k], all);
        }
    }
}

/* ---- the reported loss ---- */

/* As pm_l1_ops.exact does it: sample i of a row in lane i % 16, the lanes folded by halves. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_loss(const struct pm_kargs a)
{
    double *sums = (double *)pm_shared;
    int lane = (int)threadIdx.x % PM_LOSS_LANES, mine = (int)threadIdx.x / PM_LOSS_LANES;
    int n = a.w * a.channels;
    for (int y0 = (int)blockIdx.x * PM_LOSS_ROWS; y0 < a.h; y0 += (int)gridDim.x * PM_LOSS_ROWS) {
        int y = y0 + mine;
        double sum = 0;
        if (y < a.h) {
            const unsigned char *g = pm_row(a.gt, a.gt_y + y);
            const unsigned char *t = pm_row(a.target, a.target_y + y);
            unsigned count = 0;
            for (int i = lane; i < n; i += PM_LOSS_LANES) {
                double gv = (double)pm_value(a.sample, g, a.gt_x * a.channels + i);
                double tv = (double)pm_value(a.sample, t, a.target_x * a.channels + i);
                double d = fabs(__dsub_rn(gv, __dmul_rn(a.gain_double, tv)));
                if (d <= 1.7976931348623157e308) { /* false for NaN and infinity */
                    sum = __dadd_rn(sum, d);
                    count++;
                }
            }
            atomicAdd((pm_u64 *)&a.row_count[y], (pm_u64)count);
        }
        sums[threadIdx.x] = sum;
        __syncthreads();
        for (int half = PM_LOSS_LANES / 2; half > 0; half /= 2) {
            if (lane < half) {
                sums[threadIdx.x] = __dadd_rn(sums[threadIdx.x], sums[threadIdx.x + half]);
            }
            __syncthreads();
        }
        if (lane == 0 && y < a.h) {
            a.row_sum[y] = sums[threadIdx.x];
        }
        __syncthreads();
    }
}

/* ---- the mask ---- */

__device__ static inline float pm_madd(float a, float b, float c)
{
    return __fadd_rn(__fmul_rn(a, b), c);
}

/* lossmap.c's root_row() without fused multiply-add, bit for bit. */
__device__ static inline float pm_root(float v)
{
    int order = __float_as_int(v);
    unsigned bits = order > 0x00800000 ? (unsigned)order : 0x00800000u;
    unsigned e = (unsigned)((int)(bits - 0x3f3504f3u) >> 23);
    float t = __fsub_rn(__uint_as_float(bits - (e << 23)), 1.0f);
    float p = pm_madd(t, -0.21153565f, 0.31982782f);
    p = pm_madd(t, p, -0.36585504f);
    p = pm_madd(t, p, 0.47967112f);
    p = pm_madd(t, p, -0.72122353f);
    p = pm_madd(t, p, 1.4427030f);
    float y = __fmul_rn(pm_madd(t, p, (float)(int)e), (float)(1 / 2.2));
    float shifted = __fadd_rn(y, 12582912.0f);
    float f = __fsub_rn(y, __fsub_rn(shifted, 12582912.0f));
    float q = pm_madd(f, 0.009685711f, 0.055922024f);
    q = pm_madd(f, q, 0.24021865f);
    q = pm_madd(f, q, 0.69312102f);
    q = pm_madd(f, q, 1.0000001f);
    float r = __fadd_rn(__uint_as_float(__float_as_uint(q) + (__float_as_uint(shifted) << 23)),
        __fmul_rn(v, 0.0f));
    return order > 0 ? r : v;
}

/* Full scale 1 times scale, as lossmap.c's to_float(). */
__device__ static inline float pm_scaled(int sample, const unsigned char *row, int i, float scale)
{
    float v = pm_value(sample, row, i);
    if (sample == PM_CUDA_U8) {
        return __fmul_rn(v, __fmul_rn(scale, 1.0f / 255.0f));
    }
    if (sample == PM_CUDA_U16) {
        return __fmul_rn(v, __fmul_rn(scale, 1.0f / 65535.0f));
    }
    return __fmul_rn(v, scale);
}

struct pm_bound {
    float lower, upper;
};

/* Bounds on the loss of pixel (x, y) of the overlap; the constants are lossmap.c's. */
__device__ static inline struct pm_bound pm_bounds(const struct pm_kargs *a, int x, int y)
{
    const unsigned char *g = pm_row(a->gt, a->gt_y + y), *t = pm_row(a->target, a->target_y + y);
    float all = 0, map = 0;
    struct pm_bound bound;
    for (int c = 0; c < a->channels; c++) {
        float gv = pm_root(pm_scaled(a->sample, g, (a->gt_x + x) * a->channels + c, 1.0f));
        float tv = pm_root(pm_scaled(a->sample, t, (a->target_x + x) * a->channels + c, a->gain));
        all = __fadd_rn(__fadd_rn(all, fabsf(gv)), fabsf(tv));
        map = __fadd_rn(map, fabsf(__fsub_rn(gv, tv)));
    }
    float slack = __fadd_rn(__fmul_rn(all, 1.0e-5f), 1.0e-16f);
    bound.lower = __fsub_rn(map, slack);
    bound.upper = __fadd_rn(map, slack);
    return bound;
}

__device__ static inline bool pm_known(struct pm_bound bound)
{
    return bound.upper <= 3.402823466e38f; /* false for NaN */
}

/* Lower bounds by their top bits; count: pixels about which nothing is known. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_bins(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)a.w * a.h;
    for (pm_u64 i = pm_first(); i < n; i += pm_stride()) {
        struct pm_bound bound = pm_bounds(&a, (int)(i % a.w), (int)(i / a.w));
        if (!pm_known(bound)) {
            atomicAdd(a.count, 1u);
        } else {
            unsigned bits = bound.lower > 0 ? __float_as_uint(bound.lower) : 0;
            atomicAdd(&a.bins[bits >> PM_CUDA_BIN_SHIFT], 1u);
        }
    }
}

__device__ static inline void pm_enlist(const struct pm_kargs *a, pm_u64 pixel)
{
    unsigned at = atomicAdd(a->count, 1u);
    if (at < a->list_max) {
        a->list[at] = (unsigned)pixel;
    }
}

/* Every pixel that may be one of the largest. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_gather(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)a.w * a.h;
    for (pm_u64 i = pm_first(); i < n; i += pm_stride()) {
        if (pm_bounds(&a, (int)(i % a.w), (int)(i / a.w)).upper >= a.gather_from) {
            pm_enlist(&a, i);
        }
    }
}

/* RAWNIND.md 2.6 step 1. */
__device__ static inline bool pm_exposed_well(const struct pm_kargs *a, int x, int y)
{
    const unsigned char *row = pm_row(a->gt, a->gt_y + y);
    bool ok = true;
    for (int c = 0; c < a->channels; c++) {
        int i = (a->gt_x + x) * a->channels + c;
        ok = ok && (pm_is_integer(a->sample)
                           ? pm_word(a->sample, row, i) < a->exposed_from
                           : (double)pm_value(a->sample, row, i) < a->exposed_limit);
    }
    return ok;
}

/* Words of pixels below the threshold and of well exposed ones; what the bounds leave open is 0
 * and listed. A block makes PM_THREADS / 64 words of one row at a time. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_decide(const struct pm_kargs a)
{
    unsigned *flags = (unsigned *)pm_shared;
    int groups = (a.w + PM_THREADS - 1) / PM_THREADS;
    for (pm_u64 group = blockIdx.x; group < (pm_u64)groups * a.h; group += gridDim.x) {
        int y = (int)(group / groups), x0 = (int)(group % groups) * PM_THREADS;
        int x = x0 + (int)threadIdx.x;
        unsigned flag = 0;
        if (x < a.w) {
            struct pm_bound bound = pm_bounds(&a, x, y);
            bool keep = (double)bound.upper < a.threshold;
            if (!keep && !((double)bound.lower >= a.threshold)) {
                pm_enlist(&a, (pm_u64)y * a.w + x);
            }
            flag = (keep ? 1u : 0u) | (pm_exposed_well(&a, x, y) ? 2u : 0u);
        }
        flags[threadIdx.x] = flag;
        __syncthreads();
        int word = x0 / 64 + (int)threadIdx.x;
        if (threadIdx.x < PM_THREADS / 64 && word < a.words) {
            pm_u64 keep = 0, ok = 0;
            for (int i = 0; i < 64; i++) {
                unsigned f = flags[threadIdx.x * 64 + i];
                keep |= (pm_u64)(f & 1u) << i;
                ok |= (pm_u64)(f >> 1) << i;
            }
            a.keep[(pm_u64)y * a.words + word] = keep;
            a.ok[(pm_u64)y * a.words + word] = ok;
        }
        __syncthreads();
    }
}

/* Word i of a row moved by one pixel either way; outside is 0. */
__device__ static inline pm_u64 pm_left(const pm_u64 *row, int i)
{
    return row[i] << 1 | (i > 0 ? row[i - 1] >> 63 : 0);
}

__device__ static inline pm_u64 pm_right(const pm_u64 *row, int i, int n)
{
    return row[i] >> 1 | (i + 1 < n ? row[i + 1] << 63 : 0);
}

/* opened = keep eroded by the 3x3 cross, outside 0. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_erode(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)a.words * a.h;
    for (pm_u64 at = pm_first(); at < n; at += pm_stride()) {
        int y = (int)(at / a.words), i = (int)(at % a.words);
        const pm_u64 *row = a.keep + (pm_u64)y * a.words;
        pm_u64 above = y > 0 ? row[i - a.words] : 0, below = y + 1 < a.h ? row[i + a.words] : 0;
        a.opened[at] = above & row[i] & below & pm_left(row, i) & pm_right(row, i, a.words);
    }
}

/* keep = opened dilated by the same cross, where well exposed. */
extern "C" __global__ void __launch_bounds__(PM_THREADS) pm_k_dilate(const struct pm_kargs a)
{
    pm_u64 n = (pm_u64)a.words * a.h;
    for (pm_u64 at = pm_first(); at < n; at += pm_stride()) {
        int y = (int)(at / a.words), i = (int)(at % a.words);
        const pm_u64 *row = a.opened + (pm_u64)y * a.words;
        pm_u64 above = y > 0 ? row[i - a.words] : 0, below = y + 1 < a.h ? row[i + a.words] : 0;
        a.keep[at] =
            (above | row[i] | below | pm_left(row, i) | pm_right(row, i, a.words)) & a.ok[at];
    }
}

#endif
