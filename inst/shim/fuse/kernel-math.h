R"KERNEL(
#include <math.h>
#include <stdint.h>
#include <string.h>

// Elementary functions in plain C that a compiler turns into vector code: no branch, no table, no call. The polynomials
// are minimax fits of this project; NaN, infinities, signed zeros and denormals come out as from the C library.
// Suffix _f: float, within 4 units in the last place; _d: double, the same.

typedef union { float x; uint32_t i; } bits_f;
typedef union { double x; uint64_t i; } bits_d;
static inline float from_bits_f(uint32_t i) { bits_f b; b.i = i; return b.x; }
static inline uint32_t to_bits_f(float x) { bits_f b; b.x = x; return b.i; }
static inline double from_bits_d(uint64_t i) { bits_d b; b.i = i; return b.x; }
static inline uint64_t to_bits_d(double x) { bits_d b; b.x = x; return b.i; }

// Numbers become whole ones as the processor makes them: `(float)(int32_t)x` would be trunc(x) to a compiler, which is another
// number for what is too large, for NaN and for -0.5. `zero` is 0, which compilers can't know. Small types are cut from larger ones.
static volatile int64_t hidden_zero;
#define HIDE_ZERO const int64_t zero = hidden_zero; const int32_t zero32 = (int32_t)zero;
#define TO_int64_t(x) ((int64_t)(x) ^ zero)
#define TO_int32_t(x) ((int32_t)(x) ^ zero32)
#define TO_int16_t(x) ((int16_t)((int32_t)(x) ^ zero32))
#define TO_int8_t(x) ((int8_t)((int32_t)(x) ^ zero32))
#define TO_uint8_t(x) (sizeof(x) == 8 ? (uint8_t)((int64_t)(x) ^ zero) : (uint8_t)((int32_t)(x) ^ zero32))
#define TO_bool(x) ((uint8_t)((x) != 0))

static inline float fabs_f(float x) { return __builtin_fabsf(x); }
static inline double fabs_d(double x) { return __builtin_fabs(x); }
static inline float sqrt_f(float x) { return __builtin_sqrtf(x); }
static inline double sqrt_d(double x) { return __builtin_sqrt(x); }
static inline float copysign_f(float x, float s) { return __builtin_copysignf(x, s); }
static inline double copysign_d(double x, double s) { return __builtin_copysign(x, s); }
static inline float floor_f(float x) { return __builtin_floorf(x); }
static inline double floor_d(double x) { return __builtin_floor(x); }
static inline float ceil_f(float x) { return __builtin_ceilf(x); }
static inline double ceil_d(double x) { return __builtin_ceil(x); }
static inline float trunc_f(float x) { return __builtin_truncf(x); }
static inline double trunc_d(double x) { return __builtin_trunc(x); }
static inline float round_f(float x) { return __builtin_nearbyintf(x); }
static inline double round_d(double x) { return __builtin_nearbyint(x); }

// exp(x) = 2^n exp(r), r in [-log(2)/2, log(2)/2]; exp(r) - 1 = r + r^2 P(r). Added to WHOLE_F, a number below 2^22 is
// rounded to a whole one, which then stands in the low bits: `n` is that sum, of which power_f() makes 2^(n + bias - 127).
#define WHOLE_F 12582912.0f
#define WHOLE_BITS 0x4b400000
static inline float power_f(int32_t n, int bias) { return from_bits_f(((uint32_t)n << 23) + ((uint32_t)bias << 23)); }
static inline float exp_part_f(float x, int32_t* n) {
  const float sum = x * 1.44269504f + WHOLE_F, whole = sum - WHOLE_F;
  *n = (int32_t)to_bits_f(sum);
  const float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 0.001394121352f;
  p = p * r + 0.008363235054f;
  p = p * r + 0.04166637414f;
  p = p * r + 0.1666657665f;
  p = p * r + 0.5000000027f;
  return p * (r * r) + r;
}
// (1 + p) 2^n in two steps: what is below the smallest normal number is rounded once, and 2^128 is no number.
static inline float scale_f(float p, int32_t n) {
  const int32_t m = n < WHOLE_BITS - 124 ? WHOLE_BITS - 124 : n;
  const float power = power_f(m, 126);
  return (power + p * power) * power_f(n - m, 128);
}
static inline float exp_f(float x) {
  const float high = 89.0f < x ? 89.0f : x;
  int32_t n;
  const float p = exp_part_f(-105.0f > high ? -105.0f : high, &n);
  return scale_f(p, n);
}
// For x <= 0; what is below the smallest normal number is 0.
static inline float exp_below_f(float x) {
  int32_t n;
  const float p = exp_part_f(-88.0f > x ? -88.0f : x, &n), power = power_f(n, 127), y = power + p * power;
  return x < -87.33654f ? 0 : y;
}
static inline float expm1_f(float x) {
  const float high = 89.0f < x ? 89.0f : x;
  int32_t n;
  const float p = exp_part_f(-30.0f > high ? -30.0f : high, &n), power = power_f(n, 127);
  const float big = n > WHOLE_BITS + 24 ? scale_f(p, n) - 1.0f : p * power + (power - 1.0f);
  return n == WHOLE_BITS ? (x == 0 ? x : p) : big;
}
static inline double exp_part_d(double x, double* n) {
  *n = __builtin_nearbyint(x * 1.4426950408889634);
  const double r = (x - *n * 0.693147180369123816490) - *n * 1.90821492927058770002e-10;
  double p = 2.0921667044944319877e-9;
  p = p * r + 2.5105312967492890114e-8;
  p = p * r + 2.7557252687387628138e-7;
  p = p * r + 2.7557255169384458486e-6;
  p = p * r + 0.000024801587347567442267;
  p = p * r + 0.00019841269875002845816;
  p = p * r + 0.0013888888888874304196;
  p = p * r + 0.0083333333333260829025;
  p = p * r + 0.04166666666666668393;
  p = p * r + 0.1666666666666667103;
  p = p * r + 0.5;
  return p * (r * r) + r;
}
// Added to a number below 2^51, this leaves its whole part in the low bits.
#define WHOLE 6755399441055744.0
static inline double power_d(double n) { return from_bits_d((to_bits_d(n + (WHOLE + 1023)) & 2047) << 52); }
static inline double scale_d(double y, double n) {
  const double half = __builtin_floor(n * 0.5);
  return y * power_d(half) * power_d(n - half);
}
static inline double exp_d(double x) {
  const double y = x > 710.0 ? 710.0 : x < -746.0 ? -746.0 : x;
  double n;
  const double p = exp_part_d(y, &n);
  return scale_d(1.0 + p, n);
}
static inline double exp_below_d(double x) { return exp_d(x); }
static inline double expm1_d(double x) {
  const double y = x > 710.0 ? 710.0 : x < -60.0 ? -60.0 : x;
  double n;
  const double p = exp_part_d(y, &n);
  const double big = n > 53.0 ? scale_d(1.0 + p, n) - 1.0 : scale_d(p, n) + (scale_d(1.0, n) - 1.0);
  return n == 0 ? (x == 0 ? x : p) : big;
}

static inline float log_f(float x) {
  const int small = x < 1.17549435e-38f;
  const uint32_t i = to_bits_f(small ? x * 8388608.0f : x);
  int32_t e = (int32_t)(i >> 23) - 126 - (small ? 23 : 0);
  float m = from_bits_f((i & 0x007fffff) | 0x3f000000);
  const int low = m < 0.70710678f;
  e -= low;
  const float f = (low ? m + m : m) - 1.0f, z = f * f;
  float p = 0.07332449172f;
  p = p * f - 0.1165988239f;
  p = p * f + 0.1163467127f;
  p = p * f - 0.1239670827f;
  p = p * f + 0.1425115564f;
  p = p * f - 0.1666915063f;
  p = p * f + 0.2000068807f;
  p = p * f - 0.2499998119f;
  p = p * f + 0.3333333126f;
  const float y = (f * z * p + (float)e * -2.12194440e-4f) - 0.5f * z + f + (float)e * 0.693359375f;
  const float r = x == (float)INFINITY ? x : x == 0 ? -(float)INFINITY : y;
  return x < 0 || x != x ? (float)NAN : r;
}
static inline double log_d(double x) {
  const int small = x < 2.2250738585072014e-308;
  const uint64_t i = to_bits_d(small ? x * 4503599627370496.0 : x);
  // The exponent as a number, without a conversion from 64-bit integers, which older processors lack.
  double e = from_bits_d((i >> 52) | 0x4330000000000000) - 4503599627370496.0 - 1022.0 - (small ? 52.0 : 0.0);
  double m = from_bits_d((i & 0x000fffffffffffff) | 0x3fe0000000000000);
  const int low = m < 0.70710678118654752;
  e -= low ? 1.0 : 0.0;
  const double f = (low ? m + m : m) - 1.0, s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
  double p = 0.13089215580840084527;
  p = p * z + 0.13268516632034459509;
  p = p * z + 0.15386249668303678077;
  p = p * z + 0.18181795448500929246;
  p = p * z + 0.22222222393601743218;
  p = p * z + 0.28571428570794775449;
  p = p * z + 0.40000000000000892455;
  p = p * z + 0.66666666666666666461;
  const double y = e * 0.693147180369123816490 - ((h - (s * (h + z * p) + e * 1.90821492927058770002e-10)) - f);
  const double r = x == (double)INFINITY ? x : x == 0 ? -(double)INFINITY : y;
  return x < 0 || x != x ? (double)NAN : r;
}
// What 1 + x rounds away is put back.
static inline float log1p_f(float x) {
  const float u = 1.0f + x, lost = x - (u - 1.0f);
  const float y = log_f(u) + (u > 0 && u < (float)INFINITY ? lost / u : 0);
  return x == 0 ? x : y;
}
static inline double log1p_d(double x) {
  const double u = 1.0 + x, lost = x - (u - 1.0);
  const double y = log_d(u) + (u > 0 && u < (double)INFINITY ? lost / u : 0);
  return x == 0 ? x : y;
}

// t / (t + 2) with t = exp(2 |x|) - 1, where 2^n is far from the largest number.
static inline float tanh_f(float x) {
  const float a = fabs_f(x), b = 10.0f < a ? 10.0f : a;
  int32_t n;
  const float p = exp_part_f(2.0f * b, &n), power = power_f(n, 127);
  const float t = p * power + (power - 1.0f);
  return copysign_f(t / (t + 2.0f), x);
}
static inline double tanh_d(double x) {
  const double a = fabs_d(x), b = a > 20.0 ? 20.0 : a;
  double n;
  const double p = exp_part_d(2.0 * b, &n), power = power_d(n);
  const double t = p * power + (power - 1.0);
  return copysign_d(t / (t + 2.0), x);
}
// exp(-x) matters to 1 + exp(-x) only where it is no small number.
static inline float sigmoid_f(float x) {
  const float high = 80.0f < x ? 80.0f : x;
  int32_t n;
  const float p = exp_part_f(-89.0f > high ? 89.0f : -high, &n), power = power_f(n, 126);
  return 1.0f / (1.0f + (power + p * power) * 2.0f);
}
static inline double sigmoid_d(double x) {
  const double b = x > 700.0 ? 700.0 : x < -710.0 ? -710.0 : x;
  double n;
  const double p = exp_part_d(-b, &n);
  return 1.0 / (1.0 + (1.0 + p) * power_d(n - 1.0) * 2.0);
}

static inline float erf_f(float x) {
  const float a = fabs_f(x), z = x * x;
  float p = 7.853839756e-5f;
  p = p * z - 0.0008010186862f;
  p = p * z + 0.005188326884f;
  p = p * z - 0.02685381149f;
  p = p * z + 0.1128358514f;
  p = p * z - 0.3761262582f;
  p = p * z + 1.128379166f;
  const float b = a > 4.1f ? 4.1f : a;
  float q = -2.168667595e-5f;
  q = q * b + 0.0004413341966f;
  q = q * b - 0.004204550402f;
  q = q * b + 0.02520822388f;
  q = q * b - 0.108418522f;
  q = q * b - 0.6332199479f;
  q = q * b - 1.129578395f;
  q = q * b + 0.0001880334993f;
  const float far = copysign_f(1.0f - exp_f(q), x);
  return x != x ? x : a < 1.0f ? p * x : far;
}

// sin and cos: x - n pi/2 in double precision, which is exact enough up to a million; beyond that the C library.
static inline float sin_near_f(float x, int shift) {
  const double n = __builtin_nearbyint((double)x * 0.63661977236758134308);
  const float r = (float)(((double)x - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11);
  const int32_t q = (int32_t)n + shift;
  const float z = r * r;
  const float s = ((-0.0001958775732f * z + 0.008332747835f) * z - 0.1666666466f) * z * r + r;
  const float c = ((2.454778843e-5f * z - 0.001388830248f) * z + 0.04166666466f) * z * z - 0.5f * z + 1.0f;
  const float y = q & 1 ? c : s;
  return q & 2 ? -y : y;
}
static void sin_block_f(const float* x, float* y, int64_t n) {
  int far = 0;
#pragma omp simd reduction(| : far)
  for (int64_t j = 0; j < n; ++j) {
    const int is_near = fabs_f(x[j]) < 1e6f;
    far |= !is_near;
    y[j] = sin_near_f(is_near ? x[j] : 0, 0);
    y[j] = x[j] == 0 ? x[j] : y[j];
  }
  for (int64_t j = 0; far && j < n; ++j)
    if (!(fabs_f(x[j]) < 1e6f)) y[j] = sinf(x[j]);
}
static void cos_block_f(const float* x, float* y, int64_t n) {
  int far = 0;
#pragma omp simd reduction(| : far)
  for (int64_t j = 0; j < n; ++j) {
    const int is_near = fabs_f(x[j]) < 1e6f;
    far |= !is_near;
    y[j] = sin_near_f(is_near ? x[j] : 0, 1);
  }
  for (int64_t j = 0; far && j < n; ++j)
    if (!(fabs_f(x[j]) < 1e6f)) y[j] = cosf(x[j]);
}
static inline void sin_block_d(const double* x, double* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = sin(x[j]); }
static inline void cos_block_d(const double* x, double* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = cos(x[j]); }

// The C library's, one number after the other.
#define BLOCK_1(name)                                                                                                  \
  static inline void name##_block_f(const float* x, float* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = name##f(x[j]); } \
  static inline void name##_block_d(const double* x, double* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = name(x[j]); }
#define BLOCK_2(name)                                                                                                  \
  static inline void name##_block_f(const float* x, const float* z, float* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = name##f(x[j], z[j]); } \
  static inline void name##_block_d(const double* x, const double* z, double* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = name(x[j], z[j]); }
BLOCK_1(tan) BLOCK_1(asin) BLOCK_1(acos) BLOCK_1(atan) BLOCK_1(sinh) BLOCK_1(cosh) BLOCK_1(asinh) BLOCK_1(acosh)
BLOCK_1(atanh) BLOCK_1(erfc) BLOCK_1(exp2) BLOCK_1(log2) BLOCK_1(log10)
BLOCK_2(pow) BLOCK_2(fmod) BLOCK_2(atan2) BLOCK_2(hypot)
static inline void erfd_block_d(const double* x, double* y, int64_t n) { for (int64_t j = 0; j < n; ++j) y[j] = erf(x[j]); }
static inline double erf_d(double x) { return erf(x); }

// Half precision is a way to store; computed is in float.
static inline float from_bf16(uint16_t x) { return from_bits_f((uint32_t)x << 16); }
static inline uint16_t to_bf16(float x) {
  const uint32_t i = to_bits_f(x);
  return x != x ? 0x7fc0 : (uint16_t)((i + 0x7fff + ((i >> 16) & 1)) >> 16);
}
)KERNEL"
