/* The contract between the R glue (src/) and LibTorch (the C++ files of inst/shim): plain C, no R type, no C++ type.
 *
 * Rules that hold for every function:
 *  - It returns a status unless its comment says otherwise, and gives results through its last pointers. If the status
 *    is not TS_OK, the results are untouched and ts_last_error() holds the message for this thread.
 *  - No exception leaves it. It may call the host: a ts_host_fn that is an argument, a ts_host_function that was given
 *    before and through which gradients are computed, and the functions of ts_host. These run only in the thread that
 *    called ts_initialise.
 *  - The host gives an "owned" result back by the noun's _release function, once. A "borrowed" one lives as long as
 *    the comment says. The shim keeps no pointer that is passed in unless the comment says so.
 *  - It may be called from any thread. The glue calls it from R's main thread only.
 */
#ifndef TORCH_SHIM_H
#define TORCH_SHIM_H

#include <stddef.h>
#include <stdint.h>

#if !defined(TS_BUILD)
#define TS_API
#elif defined(_WIN32)
#define TS_API __declspec(dllexport)
#else
#define TS_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

enum ts_status {
  TS_OK = 0,
  TS_ERROR = 1,
  TS_OUT_OF_MEMORY = 2, /* the call may be repeated after memory was freed */
  TS_HOST_JUMP = 3      /* a function of the host asked to unwind: the host now continues its jump */
};

/* A tensor. A handle is one strong reference to a TensorImpl; equal pointers are the same tensor. */
typedef struct ts_tensor ts_tensor;
/* Something with a schema that can be called: an operator, a TorchScript function, a method with its module. */
typedef struct ts_callable ts_callable;
/* A TorchScript module. */
typedef struct ts_module ts_module;
/* A compilation unit: the functions and classes of one TorchScript source. */
typedef struct ts_unit ts_unit;
/* A graph of a TorchScript function. It keeps alive what its nodes point to. */
typedef struct ts_graph ts_graph;
/* A node of the graph that computes gradients. */
typedef struct ts_node ts_node;
/* A random number generator. */
typedef struct ts_generator ts_generator;
/* Any other LibTorch value that is held by reference: class instances, enums, futures, streams, storages. */
typedef struct ts_object ts_object;
/* Saved values of tensors and states of generators, which can be restored. */
typedef struct ts_state ts_state;
/* Owns the strings, items and handles of one result. */
typedef struct ts_arena ts_arena;

/* Kinds of types in schemas. OPTIONAL, LIST and FUTURE have one item. TUPLE has an item for each element, DICT one for
 * keys and one for values, UNION one for each alternative. OBJECT is a class or an interface, also that of a module. */
typedef enum ts_kind {
  TS_KIND_ANY,
  TS_KIND_TENSOR,
  TS_KIND_NUMBER,
  TS_KIND_INT,
  TS_KIND_FLOAT,
  TS_KIND_BOOL,
  TS_KIND_COMPLEX,
  TS_KIND_STRING,
  TS_KIND_DEVICE,
  TS_KIND_DTYPE,
  TS_KIND_LAYOUT,
  TS_KIND_MEMORY_FORMAT,
  TS_KIND_GENERATOR,
  TS_KIND_STORAGE,
  TS_KIND_STREAM,
  TS_KIND_QSCHEME,
  TS_KIND_NONE,
  TS_KIND_OBJECT,
  TS_KIND_OPTIONAL,
  TS_KIND_LIST,
  TS_KIND_TUPLE,
  TS_KIND_DICT,
  TS_KIND_ENUM,
  TS_KIND_FUTURE,
  TS_KIND_UNION
} ts_kind;

/* The dtypes that the host knows by their numbers in LibTorch's ScalarType. */
enum ts_dtype {
  TS_UINT8 = 0,
  TS_INT8 = 1,
  TS_INT16 = 2,
  TS_INT32 = 3,
  TS_INT64 = 4,
  TS_FLOAT16 = 5,
  TS_FLOAT32 = 6,
  TS_FLOAT64 = 7,
  TS_COMPLEX64 = 9,
  TS_COMPLEX128 = 10,
  TS_BOOLEAN = 11
};

typedef struct ts_type {
  ts_kind kind;
  int32_t length; /* for `int[2]` 2: one number may stand for both; otherwise 0 */
  size_t n;
  const struct ts_type *const *items;
  const char *const *names; /* the n fields of a NamedTuple or n_names members of an enum; otherwise NULL */
  const char *text;         /* as TorchScript writes it */
  size_t n_names;
  const void *own;   /* for the shim */
  size_t n_required; /* how many of a tuple's n elements must be given; the others have defaults */
} ts_type;

typedef struct ts_argument {
  const char *name;
  const ts_type *type;
  int32_t has_default;
  int32_t keyword_only;
  int32_t is_out;   /* takes a result (`out`) */
  int32_t is_write; /* is changed in place */
} ts_argument;

/* A schema. It lives as long as its callable. The `self` of a method is not among the arguments. */
typedef struct ts_schema {
  const char *name; /* "aten::add" */
  const char *overload;
  const char *text;
  size_t n_arguments;
  size_t n_returns;
  const ts_argument *arguments;
  const ts_argument *returns;
} ts_schema;

/* The form in which a value passes between host and shim. */
typedef enum ts_tag {
  TS_NONE,
  TS_DEFAULT, /* the schema's default; for arguments and fields of NamedTuples only */
  TS_TENSOR,  /* handle */
  TS_INT,     /* i; also dtype, layout, memory format, qscheme where the type says so */
  TS_FLOAT,   /* d */
  TS_BOOL,    /* i */
  TS_COMPLEX, /* z: real, imaginary */
  TS_STRING,  /* s, len bytes */
  TS_DEVICE,  /* s: "cuda:0" */
  TS_GENERATOR,
  TS_LIST,        /* items, len */
  TS_TUPLE,       /* items, len; names if it is a NamedTuple */
  TS_DICT,        /* items: key, value, key, value; len pairs */
  TS_MODULE,      /* handle */
  TS_ENUM,        /* results only. items: name of the class, name of the member, its value, and the member itself (a
                     TS_OBJECT). An argument is a TS_STRING, the name of the member */
  TS_OBJECT,      /* handle; of.held says what it is */
  TS_INT_LIST,    /* ints, len */
  TS_FLOAT_LIST,  /* doubles, len */
  TS_BOOL_LIST,   /* bools, len */
  TS_SIZE         /* arguments only. size: an int that the running trace has recorded */
} ts_tag;

enum ts_held { TS_HELD_INSTANCE, TS_HELD_FUTURE, TS_HELD_OTHER };

typedef struct ts_value {
  int32_t tag;
  union {
    int32_t kind;        /* a ts_kind. TS_LIST: the kind of its elements; a TS_DICT result: that of its keys, if known;
                            a TS_INT result: TS_KIND_DTYPE or the like if its type says so */
    int32_t alternative; /* an argument of a UNION: which alternative it is */
    int32_t held;        /* TS_OBJECT: a ts_held */
  } of;
  int64_t len;
  const char *const *names;
  union {
    int64_t i;
    double d;
    double z[2];
    const char *s;
    void *handle;
    struct ts_value *items;
    const int64_t *ints;
    const double *doubles;
    const int32_t *bools;
    struct {
      int64_t i;
      ts_tensor *traced; /* comes from ts_trace_size(), or was computed from such sizes */
    } size;
  } as;
} ts_value;

/* Numbers that functions take. Those that R knows by the same names are listed in R/contract.R. */
enum ts_registry { TS_REGISTRY_DISPATCHER, TS_REGISTRY_JIT };
enum ts_graph_stage { TS_GRAPH_WRITTEN, TS_GRAPH_INLINED, TS_GRAPH_PLAN };
enum ts_module_part {
  TS_MODULE_PARAMETERS, /* each tensor once, those of children first; the same for buffers */
  TS_MODULE_BUFFERS,
  TS_MODULE_CHILDREN,
  TS_MODULE_METHODS,    /* their names */
  TS_MODULE_ATTRIBUTES, /* the names of all other attributes and of constants */
  TS_MODULE_MODULES,    /* all modules of the tree, each once */
  TS_MODULE_TENSORS     /* all tensors of the tree under all their names, the module's own first */
};
enum ts_object_part { TS_OBJECT_TYPE, TS_OBJECT_ATTRIBUTES, TS_OBJECT_PROPERTIES, TS_OBJECT_METHODS };
enum ts_object_member { TS_MEMBER_METHOD, TS_MEMBER_GETTER, TS_MEMBER_SETTER };
enum ts_switch {
  TS_SWITCH_EXECUTOR,      /* the profiling executor: 1 or 0 */
  TS_SWITCH_PROFILING,     /* 1 or 0 */
  TS_SWITCH_PROFILED_RUNS, /* a number */
  TS_SWITCH_OPTIMIZE,      /* 1 or 0, for this thread */
  TS_SWITCH_CPU,           /* LibTorch's fusion on the CPU: 1 or 0 */
  TS_SWITCH_CUDA,          /* LibTorch's fusion on GPUs: 1 or 0 */
  TS_SWITCH_OWN            /* the shim's own fuser on the CPU: 1, 2 (exact kernels only) or 0; without a compiler it is 0 */
};
enum ts_backend_fact {
  TS_BACKEND_MKL, /* 1 or 0, like the next three */
  TS_BACKEND_MKLDNN,
  TS_BACKEND_OPENMP,
  TS_BACKEND_MPS,
  TS_BACKEND_CUDNN, /* its version; 0: there is none */
  TS_BACKEND_CUDART /* the version of CUDA's runtime */
};

/* Facts about a tensor that need no copy. The pointers are valid as long as the tensor keeps its shape. */
typedef struct ts_tensor_info {
  int64_t ndim;
  const int64_t *sizes;
  const int64_t *strides; /* NULL if the layout has none */
  int64_t numel;
  int32_t dtype;
  int32_t layout;
  int32_t device_index; /* -1: none */
  char device[16];      /* "cpu", "cuda:1" */
  int8_t defined, requires_grad, is_leaf, is_complex, is_floating_point, is_quantized, is_sparse, is_cuda;
} ts_tensor_info;

/* Kinds of Python values in a file of torch.save(). */
typedef enum ts_pickled {
  TS_PICKLED_NONE,
  TS_PICKLED_BOOL,
  TS_PICKLED_INT,
  TS_PICKLED_LONG, /* an int, given by its bits; only when written */
  TS_PICKLED_FLOAT,
  TS_PICKLED_COMPLEX,
  TS_PICKLED_TEXT,
  TS_PICKLED_BYTES,
  TS_PICKLED_DTYPE,
  TS_PICKLED_DEVICE,
  TS_PICKLED_TENSOR,
  TS_PICKLED_PARAMETER,
  TS_PICKLED_LIST, /* when read also tuples and sets */
  TS_PICKLED_DICT
} ts_pickled;

/* A part of a file to write: bytes, or the elements of a tensor in row-major order. */
typedef struct ts_part {
  const void *data; /* NULL: the part is `tensor` */
  size_t size;
  ts_tensor *tensor;
} ts_part;

/* Values to write. Each stands before the values that it holds. `numbers` has an entry for each. For a bool, an int, a
 * float and a dtype it is the value itself; for a text and a tensor its place in `texts` or `tensors`; for bytes their
 * place in `parts`; for a list how many values it holds; for a dict how many keys. A complex number is followed by its
 * imaginary part, a float. */
typedef struct ts_values {
  size_t n;
  const int32_t *kinds; /* ts_pickled */
  const double *numbers;
  const char *const *texts;
  const ts_part *parts;
  ts_tensor *const *tensors;
  size_t n_tensors;
} ts_values;

/* A tensor in a file: where its bytes begin, and what it is. */
typedef struct ts_piece {
  uint64_t offset;
  int32_t dtype;
  size_t ndim;
  const int64_t *sizes;
} ts_piece;

/* One entry of an index. Positions are tensors of int64, masks tensors of bool. */
typedef enum ts_index_kind {
  TS_INDEX_WHOLE, /* takes ndim dimensions as they are */
  TS_INDEX_NEW,   /* adds a dimension of size 1 */
  TS_INDEX_NUMBER,
  TS_INDEX_SLICE,
  TS_INDEX_POSITIONS,
  TS_INDEX_MASK
} ts_index_kind;

typedef struct ts_index {
  ts_index_kind kind;
  int64_t start, end, step; /* counted from 0, negative ones from the end; `end` is excluded. A number is in `start` */
  ts_tensor *tensor;
  int64_t ndim; /* how many dimensions the entry takes */
} ts_index;

/* What the host is to collect now. */
typedef enum ts_due {
  TS_DUE_NOTHING,
  TS_DUE_SOON, /* nothing yet, but the host asks again before the next call */
  TS_DUE_YOUNG, /* young objects */
  TS_DUE_ALL    /* all objects */
} ts_due;

typedef struct ts_memory {
  int64_t live_bytes;      /* CPU memory that tensors hold */
  int64_t allocated_bytes; /* allocated since ts_memory_mark() */
  int64_t peak_bytes;      /* highest live_bytes since ts_memory_mark_peak() */
} ts_memory;

/* A rule for an operator, by its name without an overload, or for a namespace, whose name ends in "::". */
typedef enum ts_rule_kind {
  TS_RULE_NAMED,  /* an operator of the namespace prim that code may name */
  TS_RULE_FILES,  /* reaches files or other processes */
  TS_RULE_REFUSED /* no program may hold it */
} ts_rule_kind;
typedef struct ts_rule {
  const char *operator_name;
  ts_rule_kind kind;
} ts_rule;

/* A file that travels in the archive of a module. */
typedef struct ts_extra_file {
  const char *name;
  const void *data;
  size_t n;
} ts_extra_file;

/* A function of the host. It puts its value into `result`. The items of that stay the host's; the shim reads them
 * before the host's thread does anything else. A status other than TS_OK ends what LibTorch is doing. */
typedef int (*ts_host_fn)(void *context, const ts_value *arguments, size_t n, ts_value *result);

/* A function of the host that the shim keeps. A call that takes one as an argument takes it over, also if the call
 * fails. `release` is called once, on any thread. */
typedef struct ts_host_function {
  ts_host_fn fn;
  void *context;
  void (*release)(void *context);
} ts_host_function;

/* Compiles the C file `source` into the library `library`, both paths. Returns 0 if that worked. The shim calls it on
 * any thread, one call at a time. */
typedef int (*ts_compile_kernel)(const char *source, const char *library);

/* Functions by which the shim asks the host for something, in the thread that called ts_initialise. */
typedef struct ts_host {
  int (*poll)(void);                    /* whether to go on, ten times a second; a status other than TS_OK ends what LibTorch does */
  void (*place)(char *text, size_t n); /* writes where the host's code is: up to n bytes with the final zero */
  void (*collect)(void);               /* memory ran out: the host releases tensors that it does not need */
} ts_host;

typedef struct ts_tensors {
  ts_tensor *const *items;
  size_t n;
} ts_tensors;

/* Called for each text that TorchScript's `print` writes, `n` bytes of UTF-8, on the thread that runs the program. A
 * status other than TS_OK ends the program; only the thread that called the shim may return one. */
typedef int (*ts_print_fn)(const char *text, size_t n);

/* Names that a source may use: those of a unit, after `name.` if there is a name, or the name of a function. */
typedef struct ts_use {
  const char *name; /* "" for the plain names of a unit */
  ts_unit *unit;    /* either `unit` or `function` is NULL */
  const ts_callable *function;
} ts_use;

/* R code as a tree, as the host's parser gives it. */
typedef enum ts_code_kind {
  TS_CODE_MISSING, /* an argument that is left out: `x[1, ]` */
  TS_CODE_NULL,
  TS_CODE_LOGICAL, /* number: 1 or 0; NaN is NA, also for the next two */
  TS_CODE_INTEGER,
  TS_CODE_DOUBLE,
  TS_CODE_STRING,  /* text */
  TS_CODE_NAME,    /* text */
  TS_CODE_CALL,    /* items: what is called, then the arguments; names: those of the arguments, NULL where there is none */
  TS_CODE_FUNCTION, /* items: defaults of the formals (MISSING: none), then the body; names: the formals */
  TS_CODE_NA_STRING, /* text: describes it, as the next */
  TS_CODE_OTHER      /* text: describes a value that no program can hold */
} ts_code_kind;

typedef struct ts_code {
  int32_t kind;
  size_t begin, end; /* positions in the closure's text, in bytes */
  double number;
  const char *text;
  size_t n; /* how many items there are */
  const struct ts_code *items;
  const char *const *names; /* one for each item; the first of a call is NULL */
} ts_code;

/* How an argument of an operator is read, beyond its type. */
enum ts_argument_flag {
  TS_FLAG_POSITION = 1,     /* counts dimensions or positions from 1 */
  TS_FLAG_INDEX_TENSOR = 2, /* a tensor whose values count from 1 */
  TS_FLAG_PROMOTE = 4,      /* a lone number is a number to type promotion */
  TS_FLAG_STORED = 16       /* becomes an element of a tensor */
};

/* An overload of an operator, as the host calls it. */
typedef struct ts_form {
  const ts_callable *callable;
  const int16_t *slots;      /* the formal for each argument; -1: none */
  const uint8_t *flags;      /* ts_argument_flags of each argument */
  uint32_t position_results; /* bit i: result i holds positions */
} ts_form;

typedef struct ts_operator {
  const char *name; /* as users of the host write it */
  size_t n_slots;
  const char *const *slots; /* names of the formals */
  const ts_value *defaults; /* one for each formal; TS_DEFAULT means that of the schema */
  size_t n_forms;
  const ts_form *forms; /* in the order of their rank */
  size_t n_results;
  const char *const *results; /* names of several results; n_results is 0 if they have none */
} ts_operator;

/* What a name means outside of the function that uses it. */
typedef struct ts_known {
  const char *name; /* "package::name" if the code writes a function so; "$name" for a member of tensors */
  int32_t is_function;
  ts_value value;              /* if is_function is 0 */
  const ts_callable *callable; /* a TorchScript function, or NULL */
  const char *builtin;         /* the name of a function of base R or this package; otherwise NULL */
  int64_t operator_at;         /* place among the program's operators; -1: none */
  int64_t closure_at;          /* place among the program's closures; -1: none */
  const char *refused;         /* why no program can hold it, or NULL */
} ts_known;

typedef struct ts_closure {
  const char *name;
  const char *file;
  const char *text;
  int32_t line; /* line of the file on which the text begins */
  const ts_code *code; /* a TS_CODE_FUNCTION */
  size_t n_known;
  const ts_known *known;
} ts_closure;

/* A module whose methods are written in R. */
typedef struct ts_scripted {
  ts_module *module;
  size_t n_methods;
  const char *const *methods;
  const int64_t *closures; /* the closure of each method, or an operator: -2 is the first one, -3 the second */
  size_t n_constants;
  const char *const *constants; /* fields to which no method gives a value */
} ts_scripted;

/* An R function, or modules, with everything that they may call. It is read during the call only. */
typedef struct ts_program {
  size_t n_closures;
  const ts_closure *closures; /* without modules the first one is compiled */
  size_t n_modules;
  const ts_scripted *modules; /* the first one is the outermost */
  size_t n_operators;
  const ts_operator *operators;
  size_t n_members;
  const ts_known *members; /* methods and fields of tensors */
} ts_program;

/* Recorded operators, which can be run again without autograd. */
typedef struct ts_tape ts_tape;

/* A number that recorded operators take and that changes from run to run. */
typedef enum ts_number_op {
  TS_NUMBER_GIVEN, /* is given to each run */
  TS_NUMBER_CONSTANT,
  TS_NUMBER_ADD,
  TS_NUMBER_SUBTRACT,
  TS_NUMBER_MULTIPLY,
  TS_NUMBER_DIVIDE,
  TS_NUMBER_POWER,
  TS_NUMBER_LARGER,
  TS_NUMBER_SMALLER,
  TS_NUMBER_NEGATIVE,
  TS_NUMBER_SQRT,
  TS_NUMBER_EXP,
  TS_NUMBER_LOG,
  TS_NUMBER_ABS,
  TS_NUMBER_COS,
  TS_NUMBER_SIN,
  TS_NUMBER_IS_LESS, /* 1 or 0 */
  TS_NUMBER_IS_LESS_OR_EQUAL,
  TS_NUMBER_CHOOSE /* the second operand if the first is not 0, otherwise the third */
} ts_number_op;

typedef struct ts_number {
  int32_t op;
  int32_t of[3]; /* operands: places of earlier numbers, from 0; -1: none */
  double value;  /* its value in the recording, by which arguments of operators are recognised */
} ts_number;

/* What the host wants of a recording. */
typedef struct ts_recorded {
  ts_tensor *const *results;
  size_t n_results;
  ts_tensor *const *targets; /* tensors that take the results of each run; NULL as a whole or in it: none */
  const ts_number *numbers;  /* those that are given to each run come first */
  size_t n_numbers;
  size_t n_given;
  const int32_t *next; /* for each given number the number that it is at the next run; -1: itself */
  int32_t undo;        /* whether tensors from outside get back the values that they had */
} ts_recorded;

/* Steps of a training. */
typedef struct ts_training {
  const ts_tape *gradients; /* takes a batch; its first results are the loss and the gradients of `params` */
  const ts_tape *update;    /* takes the gradients; NULL: none */
  ts_tensor *const *data;
  size_t n_data;
  int64_t batch_size; /* 0: the data are the batch */
  ts_tensor *order;   /* positions of the rows, from 0; NULL: in their order */
  int64_t from;       /* where in the order to begin, from 0 */
  int64_t n_steps;
  ts_tensor *const *params; /* get the gradients of the last step */
  size_t n_params;
  double *numbers; /* numbers for `update`; afterwards those for the next step */
  double *losses;  /* out: the loss of each step; NULL: not wanted */
  int64_t *done;   /* out: how many steps were done. Both are also set after a failure */
} ts_training;

#define TS_FUNCTION(result, name, arguments) TS_API result name arguments;
#include "torch_shim_functions.h"
#undef TS_FUNCTION

#ifdef __cplusplus
}
#endif
#endif
