/* Every function of the shim, one line each: included by torch_shim.h to declare them and by src/load to look them up. */

/* Library. ts_abi_version and ts_last_error return no status. The message is valid until the thread's next call. */
TS_FUNCTION(int, ts_abi_version, (void))
TS_FUNCTION(const char *, ts_built_for, (void)) /* LibTorch's version at compile time, static */
TS_FUNCTION(const char *, ts_last_error, (void))
TS_FUNCTION(const char *, ts_last_error_trace, (void)) /* with LibTorch's C++ trace */
TS_FUNCTION(int, ts_initialise, (void))                /* once, after loading */
/* How many of LibTorch's warnings wait in the thread that called ts_initialise; the address is valid for ever. */
TS_FUNCTION(const int *, ts_warnings, (void))
/* The oldest of them, NULL if there is none; valid until the next call. */
TS_FUNCTION(const char *, ts_take_warning, (void))

/* Results. Releases what the host did not take: a handle is taken by setting it to NULL. NULL is fine. No status. */
TS_FUNCTION(void, ts_arena_release, (ts_arena *))

/* Operators. Overloads of "aten::add": borrowed for ever; n = 0 if there is no such name. */
TS_FUNCTION(int, ts_operator_find, (const char *name, const ts_callable *const **overloads, size_t *n))
/* All schemas: which = 0 the dispatcher's, 1 those that only the JIT knows. A list of strings. */
TS_FUNCTION(int, ts_operator_schemas, (int which, ts_value *out, ts_arena **arena))

/* Callables. The schema is borrowed from the callable. No status. */
TS_FUNCTION(const ts_schema *, ts_callable_schema, (const ts_callable *))
/* Only for callables that were given as owned. No status. */
TS_FUNCTION(void, ts_callable_release, (ts_callable *))
/* Exactly as many arguments as the schema has. *arena is NULL if the result needs none; else the host releases it.
 * A TS_TENSOR result at top level is owned. */
TS_FUNCTION(int, ts_call, (const ts_callable *, const ts_value *arguments, size_t n, ts_value *out, ts_arena **arena))

/* Tensors. */
TS_FUNCTION(void, ts_tensor_release, (ts_tensor *)) /* no status */
TS_FUNCTION(int, ts_tensor_describe, (ts_tensor *, ts_tensor_info *out))
/* A copy of column-major host data of dtype `source` (1-d: plain) as a tensor of dtype `target`. Owned. */
TS_FUNCTION(int, ts_tensor_from_data, (const void *data, int source, const int64_t *sizes, size_t ndim, int target, const char *device, int requires_grad, int pin_memory, ts_tensor **out))
/* A number as a 0-d tensor that is weak in type promotion, as Python's numbers are; of the dtype of `like` if that is a
 * floating-point tensor (may be NULL), else a real number is of the default dtype, beside complex128 of
 * float64. Owned. */
TS_FUNCTION(int, ts_tensor_from_number, (const ts_value *number, ts_tensor *like, ts_tensor **out))
/* numel elements of dtype `target` into `data`, column-major. */
TS_FUNCTION(int, ts_tensor_to_data, (ts_tensor *, void *data, int target))
/* Row-major memory of the host as a tensor, no copy: `release(context)` is called when the last tensor on it is gone,
 * from any thread. Owned. */
TS_FUNCTION(int, ts_tensor_from_buffer, (void *data, const int64_t *sizes, size_t ndim, int dtype, void (*release)(void *), void *context, ts_tensor **out))
/* The element of a tensor with one element, as a scalar value. */
TS_FUNCTION(int, ts_tensor_item, (ts_tensor *, ts_value *out))
/* Where its memory begins, 0 if it has none of its own. */
TS_FUNCTION(int, ts_tensor_storage, (ts_tensor *, uint64_t *out))
/* Index values that count from 1 (negative from the end) to those that count from 0; 0 is an error. Owned. */
TS_FUNCTION(int, ts_positions_from_one, (ts_tensor *, ts_tensor **out))
/* Positions that LibTorch gives, counted from 1. Owned. */
TS_FUNCTION(int, ts_positions_to_one, (ts_tensor *, ts_tensor **out))

/* Autograd. */
TS_FUNCTION(int, ts_grad_mode, (int set, int *was)) /* set: 0 off, 1 on, -1 ask only */
TS_FUNCTION(int, ts_tensor_grad, (ts_tensor *, ts_tensor **out)) /* owned, may be undefined */
TS_FUNCTION(int, ts_tensor_set_grad, (ts_tensor *, ts_tensor *grad)) /* NULL: none */
TS_FUNCTION(int, ts_tensor_set_requires_grad, (ts_tensor *, int requires_grad))
/* Name of the node that made it, as a string, or none. */
TS_FUNCTION(int, ts_tensor_grad_fn, (ts_tensor *, ts_value *out, ts_arena **arena))
/* `grads` may hold NULL. `inputs`: only these accumulate; n_inputs = 0: all leaves. */
TS_FUNCTION(int, ts_backward, (ts_tensor *const *tensors, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph))
/* A list of n_inputs tensors. */
TS_FUNCTION(int, ts_gradients, (ts_tensor *const *outputs, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph, int allow_unused, ts_value *out, ts_arena **arena))
/* Gradients of all to zero, or away. */
TS_FUNCTION(int, ts_zero_grad, (ts_tensor *const *tensors, size_t n, int set_to_none))

/* dtypes are LibTorch's ScalarType numbers. The name is static: "Float"; NULL if there is no such dtype. No status. */
TS_FUNCTION(const char *, ts_dtype_name, (int dtype))
TS_FUNCTION(int, ts_default_dtype, (int set, int *was)) /* set: -1 ask only */
TS_FUNCTION(int, ts_dtype_info, (int dtype, int *is_floating_point, int *is_complex, int *size))

/* Devices, random numbers, threads, memory. */
TS_FUNCTION(int, ts_device_check, (const char *device, ts_value *out, ts_arena **arena)) /* its normal spelling */
TS_FUNCTION(int, ts_cuda_device_count, (int *out))
TS_FUNCTION(int, ts_manual_seed, (uint64_t seed))
TS_FUNCTION(int, ts_generator_new, (ts_generator **out)) /* CPU; owned */
TS_FUNCTION(int, ts_generator_seed, (ts_generator *, int set, uint64_t *seed)) /* NULL: the default CPU generator */
TS_FUNCTION(int, ts_generator_state, (ts_generator *, ts_tensor *set, ts_tensor **out)) /* set NULL: give a copy, owned */
TS_FUNCTION(void, ts_generator_release, (ts_generator *)) /* no status */
TS_FUNCTION(int, ts_threads, (int interop, int set, int *out)) /* set: 0 ask only */
TS_FUNCTION(void, ts_memory_stats, (ts_memory *out)) /* no status */
TS_FUNCTION(void, ts_memory_mark, (void))            /* allocated_bytes begins anew; no status */
TS_FUNCTION(void, ts_memory_mark_peak, (void))       /* no status */

/* Freed blocks are kept for reuse up to a limit; flush gives them back. No status. */
TS_FUNCTION(void, ts_memory_flush, (void))
TS_FUNCTION(void, ts_memory_set_cache, (int64_t bytes))
/* Memory of the same store, and counted with it, for the host's own large vectors (64 KiB and more). No status; throws
 * nothing: NULL if there is none. */
TS_FUNCTION(void *, ts_memory_take, (size_t n))
TS_FUNCTION(void, ts_memory_give, (void *block))

/* Objects that R only holds. No status. */
TS_FUNCTION(void, ts_object_release, (ts_object *))

/* Tracing. Runs `fn` once on the inputs and records it; `names` are the arguments' names. With a module the graph
 * becomes its method `method`, and its parameters and buffers become attributes of the graph; *out is owned. */
TS_FUNCTION(int, ts_trace, (ts_host_fn fn, void *context, const ts_value *inputs, const char *const *names, size_t n, ts_module *self, const char *method, int strict, ts_callable **out))
TS_FUNCTION(int, ts_is_tracing, (void)) /* 1 or 0, no status */

/* TorchScript text. Functions are listed as strings; a function is owned and keeps its unit alive. */
TS_FUNCTION(int, ts_unit_compile, (const char *source, ts_unit **out))
TS_FUNCTION(int, ts_unit_functions, (ts_unit *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_unit_function, (ts_unit *, const char *name, ts_callable **out))
TS_FUNCTION(void, ts_unit_release, (ts_unit *)) /* no status */

/* Graphs as text. which: 0 the graph, 1 inlined, 2 the plan that ran last, 3 TorchScript code. */
TS_FUNCTION(int, ts_callable_text, (const ts_callable *, int which, ts_value *out, ts_arena **arena))
/* How many runs the executor profiles before it optimises. */
TS_FUNCTION(int, ts_profiled_runs, (int *out))

/* Modules. All that give a ts_module give it owned; modules share state as LibTorch's do. */
TS_FUNCTION(int, ts_module_new, (const char *name, ts_module *unit_of, ts_module **out)) /* unit_of: share its type's home */
TS_FUNCTION(void, ts_module_release, (ts_module *)) /* no status */
TS_FUNCTION(int, ts_module_register, (ts_module *, const char *name, ts_tensor *tensor, int is_buffer)) /* tensor NULL: none */
TS_FUNCTION(int, ts_module_add_child, (ts_module *, const char *name, ts_module *child))
/* An attribute that is no tensor, by the natural type of the value. */
TS_FUNCTION(int, ts_module_set_attribute, (ts_module *, const char *name, const ts_value *value))
TS_FUNCTION(int, ts_module_attribute, (ts_module *, const char *name, ts_value *out, ts_arena **arena))
/* what: 0 parameters, 1 buffers, 2 children, 3 names of methods, 4 names of other attributes. Named dict or list. */
TS_FUNCTION(int, ts_module_list, (ts_module *, int what, int recursive, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_method, (ts_module *, const char *name, ts_callable **out)) /* NULL if there is none */
TS_FUNCTION(int, ts_module_define, (ts_module *, const char *source))
TS_FUNCTION(int, ts_module_train, (ts_module *, int set, int *was)) /* set: -1 ask only */
TS_FUNCTION(int, ts_module_type_name, (ts_module *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_from_function, (const ts_callable *, ts_module **out))
TS_FUNCTION(int, ts_module_save, (ts_module *, const char *path, int mobile))
TS_FUNCTION(int, ts_module_load, (const char *path, const char *device, ts_module **out)) /* device NULL: as saved */
/* The bytes of the file as a string of len bytes. */
TS_FUNCTION(int, ts_module_serialize, (ts_module *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_unserialize, (const void *data, size_t n, const char *device, ts_module **out))
