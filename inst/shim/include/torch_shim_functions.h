/* Every function of the shim, one a line. torch_shim.h includes this file to declare them, src/load.cpp to look them
 * up. */

/* Library. The first four return no status. */
/* The contract that the shim was built with: the MD5 sums of torch_shim.h and of this file with "-" between them, a
 * static string. A host refuses a shim with another one. */
TS_FUNCTION(const char *, ts_contract, (void))
TS_FUNCTION(const char *, ts_built_for, (void)) /* LibTorch's version when the shim was built, a static string */
/* The message of the thread's last failure. It is valid until the next call in this thread. */
TS_FUNCTION(const char *, ts_last_error, (void))
TS_FUNCTION(const char *, ts_last_error_trace, (void)) /* the same with LibTorch's C++ trace */
/* Called once, after loading. The functions of the host run only in the thread that calls this. */
TS_FUNCTION(int, ts_initialise, (const ts_host *))
/* A counter of LibTorch's warnings that wait for the host. Its address never changes. */
TS_FUNCTION(const int *, ts_warnings, (void))
/* Takes the oldest warning; NULL if there is none. The text is valid until the next call. */
TS_FUNCTION(const char *, ts_take_warning, (void))

/* Results. Releases an arena, with all that the host did not take. The host takes a handle by setting it to NULL. NULL
 * is allowed. No status. */
TS_FUNCTION(void, ts_arena_release, (ts_arena *))

/* Operators. The overloads of an operator such as "aten::add", borrowed for ever. n is 0 if there is none of that name.
 * */
TS_FUNCTION(int, ts_operator_find, (const char *name, const ts_callable *const **overloads, size_t *n))
/* The same with the overloads that only the JIT has, such as those for numbers and strings. */
TS_FUNCTION(int, ts_operator_find_all, (const char *name, const ts_callable *const **overloads, size_t *n))
/* The kinds of types in the overload that LibTorch lists first, as LibTorch names them. A tuple: a dict of the
 * arguments by name, and a list of the results. */
TS_FUNCTION(int, ts_operator_kinds, (const char *name, ts_value *out, ts_arena **arena))
/* All schemas in a ts_registry: the dispatcher's, or those that only the JIT has. A list of strings. */
TS_FUNCTION(int, ts_operator_schemas, (int registry, ts_value *out, ts_arena **arena))

/* Callables. The schema, borrowed from the callable. No status. */
TS_FUNCTION(const ts_schema *, ts_callable_schema, (const ts_callable *))
/* The default of argument i, which must have one. */
TS_FUNCTION(int, ts_callable_default, (const ts_callable *, size_t i, ts_value *out, ts_arena **arena))
/* Releases a callable that was given as owned. No status. */
TS_FUNCTION(void, ts_callable_release, (ts_callable *))
/* Calls a callable with as many arguments as its schema has. *arena is NULL if the result needs none; otherwise the
 * host releases it. If the result is a TS_TENSOR, that handle is owned. */
TS_FUNCTION(int, ts_call, (const ts_callable *, const ts_value *arguments, size_t n, ts_value *out, ts_arena **arena))

/* Tensors. */
TS_FUNCTION(void, ts_tensor_release, (ts_tensor *)) /* no status */
/* Releases a tensor that the host has found unused some time later, together with many others. Small ones wait, and
 * later calls free them one by one. Only for the thread that calls operators. No status. */
TS_FUNCTION(void, ts_tensor_release_later, (ts_tensor *))
TS_FUNCTION(void, ts_tensor_release_waiting, (void)) /* frees all that wait. No status */
/* Whether anything else than this handle holds the tensor, or the node through which its gradient flows. */
TS_FUNCTION(int, ts_tensor_is_shared, (ts_tensor *, int *out))
TS_FUNCTION(int, ts_tensor_describe, (ts_tensor *, ts_tensor_info *out))
/* A copy of column-major data of the host as a tensor. The data is of dtype `source`, the tensor of dtype `target`.
 * Owned. */
TS_FUNCTION(int, ts_tensor_from_data, (const void *data, int source, const int64_t *sizes, size_t ndim, int target, const char *device, int requires_grad, int pin_memory, ts_tensor **out))
/* A number as a 0-d tensor that counts as a number in type promotion. If `like` is a floating-point tensor, it gets
 * that dtype. Otherwise (`like` may be NULL) a real number gets the default dtype, or float64 beside complex128. Owned.
 * */
TS_FUNCTION(int, ts_tensor_from_number, (const ts_value *number, ts_tensor *like, ts_tensor **out))
/* Copies the elements of a tensor to `data`, column-major, as dtype `target`. `data` has room for numel of them. */
TS_FUNCTION(int, ts_tensor_to_data, (ts_tensor *, void *data, int target))
/* A tensor that uses row-major memory of the host. `release(context)` is called on any thread when the last tensor on
 * that memory is gone, or by this call if it fails. Owned. */
TS_FUNCTION(int, ts_tensor_from_buffer, (void *data, const int64_t *sizes, size_t ndim, int dtype, void (*release)(void *), void *context, ts_tensor **out))
/* The single element of a tensor, as a number. */
TS_FUNCTION(int, ts_tensor_item, (ts_tensor *, ts_value *out))
/* The address of the tensor's memory; 0 if it has none of its own. */
TS_FUNCTION(int, ts_tensor_storage, (ts_tensor *, uint64_t *out))
/* Writes the parts one after the other to a file, which gets its name when it is whole. If `path` is NULL, *out is the
 * bytes. */
TS_FUNCTION(int, ts_parts_write, (const char *path, const ts_part *parts, size_t n, ts_value *out, ts_arena **arena))
/* Reads tensors from a file, or from `bytes` if `path` is NULL. A piece that goes beyond the end is an error. `out` has
 * room for n handles, which are NULL before. Those that are set are owned, also after an error. */
TS_FUNCTION(int, ts_pieces_read, (const char *path, const void *bytes, size_t size, const ts_piece *pieces, size_t n, const char *device, ts_tensor **out))
/* Writes a file as Python's torch.save() does. If `path` is NULL, *out is the bytes. Tensors that share memory share it
 * in the file. */
TS_FUNCTION(int, ts_values_write, (const char *path, const ts_values *values, ts_value *out, ts_arena **arena))
/* Reads such a file, or `bytes` if `path` is NULL. Nothing in it is run. The result is a tuple of six lists. The first
 * two describe each value: its ts_pickled and a number. A value stands after the values that it holds. The number is
 * the value itself for a bool, an int and a dtype. For a float and a complex number it is a place in the list of
 * numbers, for a text, a device and bytes one in the list of texts, for a tensor one in the list of tensors. For a list
 * and a dict it tells how many entries of the third list belong to it. The third list holds, one after the other, what
 * lists and dicts hold: numbers of values, for a dict keys and values in turn. Then come the lists of numbers, of texts
 * (bytes are lists of int) and of tensors. Places count from 0, numbers of values in the third list from 1. */
TS_FUNCTION(int, ts_values_read, (const char *path, const void *bytes, size_t size, const char *device, ts_value *out, ts_arena **arena))
/* Changes index values that count from 1 (negative ones from the end) into those that count from 0. A 0 is an error.
 * Owned. */
TS_FUNCTION(int, ts_positions_from_one, (ts_tensor *, ts_tensor **out))
/* Changes positions of LibTorch's, which count from 0, into those that count from 1. Owned. */
TS_FUNCTION(int, ts_positions_to_one, (ts_tensor *, ts_tensor **out))

/* Indexing. Applies the entries in their order, each to the next dimensions; dimensions without an entry stay whole.
 * With drop 0 the dimension of a number stays, with size 1. Owned. The result may be the tensor itself. */
TS_FUNCTION(int, ts_tensor_index, (ts_tensor *, const ts_index *, size_t n, int drop, ts_tensor **out))
/* Writes a number or a tensor into what the index selects, converted to the dtype and broadcast. At most one of the
 * entries may be a tensor, and then the value must be one. */
TS_FUNCTION(int, ts_tensor_index_put, (ts_tensor *, const ts_index *, size_t n, const ts_value *value))

/* Autograd. */
TS_FUNCTION(int, ts_grad_mode, (int set, int *was)) /* set: 0 off, 1 on, -1 only asks */
TS_FUNCTION(int, ts_tensor_grad, (ts_tensor *, ts_tensor **out)) /* owned; undefined if there is none */
TS_FUNCTION(int, ts_tensor_set_grad, (ts_tensor *, ts_tensor *grad)) /* NULL removes it */
TS_FUNCTION(int, ts_tensor_set_requires_grad, (ts_tensor *, int requires_grad))
/* The node that made the tensor, owned; NULL for a leaf. */
TS_FUNCTION(int, ts_tensor_grad_fn, (ts_tensor *, ts_node **out))
TS_FUNCTION(int, ts_node_name, (ts_node *, ts_value *out, ts_arena **arena)) /* a string */
/* The node to which the gradient of input i goes, owned; NULL if it goes nowhere. *n is the number of inputs. */
TS_FUNCTION(int, ts_node_next, (ts_node *, size_t i, ts_node **out, size_t *n))
TS_FUNCTION(void, ts_node_release, (ts_node *)) /* no status */
/* Makes `outputs`, which the host computed from `inputs` unrecorded, results of a node whose gradients `backward`
 * computes. `backward` gets the gradients of the outputs and then `saved`, and returns a list with a tensor or none for
 * each input. With `materialize` missing gradients are zeros. `dirty` are inputs that were changed in place, `fixed`
 * outputs that have no derivative. out[i] is owned. */
TS_FUNCTION(int, ts_autograd_record, (const ts_host_function *backward, int materialize, const ts_tensors *inputs, const ts_tensors *outputs, const ts_tensors *saved, const ts_tensors *dirty, const ts_tensors *fixed, ts_tensor **out))
/* `hook` gets the gradient and returns a list of one tensor that replaces it, or none. */
TS_FUNCTION(int, ts_tensor_register_hook, (ts_tensor *, const ts_host_function *hook, int64_t *id))
TS_FUNCTION(int, ts_tensor_remove_hook, (ts_tensor *, int64_t id))
/* With anomaly mode nodes remember where the host's code recorded them. With check_nan a gradient that is NaN is an
 * error. */
TS_FUNCTION(int, ts_anomaly_mode, (int set, int check_nan, int *was, int *checked_nan))
/* Computes gradients. `grads` may hold NULL. Only `inputs` accumulate gradients; if n_inputs is 0, all leaves do. */
TS_FUNCTION(int, ts_backward, (ts_tensor *const *tensors, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph))
/* Computes gradients and returns them: a list of n_inputs tensors. */
TS_FUNCTION(int, ts_gradients, (ts_tensor *const *outputs, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph, int allow_unused, ts_value *out, ts_arena **arena))
/* Sets the gradients of the tensors to zero, or removes them. */
TS_FUNCTION(int, ts_zero_grad, (ts_tensor *const *tensors, size_t n, int set_to_none))
/* Forward mode. A level belongs to the process, not to a thread. When it is left, every tensor loses its tangent of
 * that level. The last level that was entered must be left first. */
TS_FUNCTION(int, ts_forward_level_enter, (uint64_t *level))
TS_FUNCTION(int, ts_forward_level_exit, (uint64_t level))

/* Mixed precision for a device type. nesting 1 begins a region, -1 ends it; when the outermost one ends, the casts that
 * were kept are dropped. Sets the three values, of which dtype and cache may be -1 to stay as they are, and returns the
 * old ones. */
TS_FUNCTION(int, ts_autocast, (const char *device, int nesting, int *enabled, int *dtype, int *cache))

/* Dtypes are numbers of LibTorch's ScalarType. The name, such as "Float", is a static string; NULL if there is no such
 * dtype. No status. */
TS_FUNCTION(const char *, ts_dtype_name, (int dtype))
TS_FUNCTION(int, ts_default_dtype, (int set, int *was)) /* set: -1 only asks */
TS_FUNCTION(int, ts_dtype_info, (int dtype, int *is_floating_point, int *is_complex, int *size))

/* Devices, random numbers, threads, memory. */
TS_FUNCTION(int, ts_device_check, (const char *device, ts_value *out, ts_arena **arena)) /* the normal spelling of a device, or an error */
TS_FUNCTION(int, ts_manual_seed, (uint64_t seed))
TS_FUNCTION(int, ts_generator_new, (ts_generator **out)) /* CPU; owned */
/* The default generator of a device such as "cuda:0". Owned; it is the same generator each time. */
TS_FUNCTION(int, ts_generator_of_device, (const char *device, ts_generator **out))
TS_FUNCTION(int, ts_generator_seed, (ts_generator *, int set, uint64_t *seed)) /* NULL is the default CPU generator */
TS_FUNCTION(int, ts_generator_state, (ts_generator *, ts_tensor *set, ts_tensor **out)) /* if set is NULL, returns a copy, owned */
TS_FUNCTION(void, ts_generator_release, (ts_generator *)) /* no status */
TS_FUNCTION(int, ts_threads, (int interop, int set, int *out)) /* set: 0 only asks */
TS_FUNCTION(void, ts_memory_stats, (ts_memory *out)) /* no status */
TS_FUNCTION(void, ts_memory_mark, (void))            /* allocated_bytes begins anew; no status */
TS_FUNCTION(void, ts_memory_mark_peak, (void))       /* no status */

/* Freed blocks of at least `smallest` bytes are kept for reuse, up to `limit` bytes in all, and none before the host
 * has set the limit. Flushing and setting a limit give them back to the system. No status. */
TS_FUNCTION(void, ts_memory_flush, (void))
TS_FUNCTION(void, ts_memory_set_cache, (int64_t limit, int64_t smallest))
/* Memory from the same store, and counted with it, for large vectors of the host (64 KiB and more). No status, no
 * error: NULL if there is no memory. */
TS_FUNCTION(void *, ts_memory_take, (size_t n))
TS_FUNCTION(void, ts_memory_give, (void *block))

/* CUDA devices, by their numbers. All of these functions need a device but the count, the rates and ts_cuda_due(). */
TS_FUNCTION(int, ts_cuda_device_count, (int *out))
TS_FUNCTION(int, ts_cuda_current_device, (int *out))
TS_FUNCTION(int, ts_cuda_synchronize, (int device))
TS_FUNCTION(int, ts_cuda_capability, (int device, int *major, int *minor))
/* A list of numbers: num_alloc_retries, num_ooms, max_split_size; then (current, peak, allocated, freed) of
 * oversize_allocations and of oversize_segments; then the same four for each of all, small_pool and large_pool, of
 * allocation, segment, active, inactive_split, allocated_bytes, reserved_bytes, active_bytes and inactive_split_bytes.
 * */
TS_FUNCTION(int, ts_cuda_memory_stats, (int device, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_cuda_empty_cache, (void))
/* Does what PyTorch's function of that name does. `enabled` and `context` may be NULL. */
TS_FUNCTION(int, ts_cuda_record_history, (const char *enabled, const char *context, const char *stacks, int64_t max_entries))
TS_FUNCTION(int, ts_cuda_snapshot, (ts_value *out, ts_arena **arena)) /* a string of len bytes, which is a pickle */
/* What the host should collect now, as so much of a device is reserved, in use, or may be garbage. Asked again after a
 * collection of young objects, it tells whether that was enough. The rates are shares of the device's memory, the last
 * one a share of what is reserved. No status. */
TS_FUNCTION(ts_due, ts_cuda_due, (void))
TS_FUNCTION(void, ts_cuda_set_rates, (double reserved, double allocated, double allocated_of_reserved))

/* A ts_backend_fact about LibTorch. */
TS_FUNCTION(int, ts_backend, (int fact, int64_t *out))
TS_FUNCTION(int, ts_mps_synchronize, (void))

/* Objects. */
TS_FUNCTION(void, ts_object_release, (ts_object *)) /* no status */
/* Whether a module, object or enum member is of a type: 1 or 0, no status. */
TS_FUNCTION(int, ts_value_fits, (const ts_value *, const ts_type *))
/* A ts_object_part: the name of the object's type as a string, or names of its members as a list of strings. */
TS_FUNCTION(int, ts_object_describe, (ts_object *, int part, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_object_attribute, (ts_object *, const char *name, ts_value *out, ts_arena **arena))
/* A ts_object_member: a method, a function that reads a property, or one that sets a property or an attribute and takes
 * one argument. Owned; NULL if there is none. */
TS_FUNCTION(int, ts_object_member, (ts_object *, const char *name, int member, ts_callable **out))
/* Waits for a future and returns its result. */
TS_FUNCTION(int, ts_future_wait, (ts_object *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_future_done, (ts_object *, int *out))

/* Tracing. Runs `fn` once on the inputs and records what it does. `names` are the names of the arguments. With a module
 * the graph becomes its method `method`, and the module's parameters and buffers become attributes in the graph. *out
 * is owned. */
TS_FUNCTION(int, ts_trace, (ts_host_fn fn, void *context, const ts_value *inputs, const char *const *names, size_t n, ts_module *self, const char *method, ts_callable **out))
TS_FUNCTION(int, ts_is_tracing, (void)) /* 1 or 0, no status */
/* suspend 1 stops recording, so that another trace may begin; 0 goes on with the trace that was suspended last. */
TS_FUNCTION(int, ts_trace_suspend, (int suspend))
/* Whether the running trace has recorded where the tensor comes from: 1 or 0, no status. */
TS_FUNCTION(int, ts_trace_knows, (ts_tensor *))
/* Where the host's code is: nodes that are recorded from now on carry that place. A source lives as long as its trace;
 * source -1 means no place. Positions are bytes of the text. Its first line is line `first_line` of the file, counted
 * from 1. */
TS_FUNCTION(int, ts_trace_source, (const char *name, const char *text, int first_line, int *source))
TS_FUNCTION(int, ts_trace_place, (int source, size_t begin, size_t end))
/* A size as a value of the trace, a 0-d int64 tensor. dim -1 is the number of elements. NULL if the trace does not know
 * the tensor. Owned. */
TS_FUNCTION(int, ts_trace_size, (ts_tensor *, int64_t dim, ts_tensor **out))
/* Traces once more and compares with a callable that was traced before. Finds the first node that is another one;
 * otherwise the first whose result in the trace differs from what the graph computes, after `state` (may be NULL) was
 * restored. A list of strings: the operator of the node, its place, its source text; empty if there is no difference.
 * */
TS_FUNCTION(int, ts_trace_difference, (const ts_callable *, ts_host_fn fn, void *context, const ts_value *inputs, const char *const *names, size_t n, ts_module *self, ts_state *state, double rtol, double atol, ts_value *out, ts_arena **arena))
/* The warnings of LibTorch's tracer in the last trace of this thread: a list of strings. */
TS_FUNCTION(int, ts_trace_warnings, (ts_value *out, ts_arena **arena))

/* Saves what a run of the host's code may change: values and gradients of these tensors, and the states of the default
 * random number generators. Owned. */
TS_FUNCTION(int, ts_state_save, (ts_tensor *const *tensors, size_t n, ts_state **out))
TS_FUNCTION(int, ts_state_restore, (ts_state *))
TS_FUNCTION(void, ts_state_release, (ts_state *)) /* no status */

/* TorchScript text. `file` and `line` tell where the source begins, for messages. The unit keeps alive what it uses. */
TS_FUNCTION(int, ts_unit_compile, (const char *source, const char *file, int line, const ts_use *uses, size_t n_uses, ts_unit **out))
/* What a unit defines, in the order of its source: a dict by name. Each value is a list: the kind ("function", "class",
 * "NamedTuple", "enum"), then lines that describe it, methods or members last. */
TS_FUNCTION(int, ts_unit_list, (ts_unit *, ts_value *out, ts_arena **arena))
/* A function, or the constructor of a class or a NamedTuple. Owned; it keeps its unit alive. */
TS_FUNCTION(int, ts_unit_function, (ts_unit *, const char *name, ts_callable **out))
/* The members of an enum, by name. */
TS_FUNCTION(int, ts_unit_enum, (ts_unit *, const char *name, ts_value *out, ts_arena **arena))
TS_FUNCTION(void, ts_unit_release, (ts_unit *)) /* no status */
/* The function that `print` calls. The shim keeps it until the next call. */
TS_FUNCTION(int, ts_set_print, (ts_print_fn print))

/* Compiles R code. Gives the types of the arguments either by `types`, as TorchScript writes them, or by `examples`;
 * NULL means tensors. n is the number of the function's formals. Owned. held: the names of the values that the host found
 * outside and that the program holds, a list of strings. */
TS_FUNCTION(int, ts_script_compile, (const ts_program *program, const char *const *types, const ts_value *examples, size_t n, ts_callable **out, ts_value *held, ts_arena **arena))
/* Compiles a method of the program's first module, and what it calls of the other modules. Types and examples are as
 * above. */
TS_FUNCTION(int, ts_script_define, (const ts_program *program, const char *method, const char *const *types, const ts_value *examples, size_t n, ts_value *held, ts_arena **arena))
/* The names that a function may look for outside of itself, also those of its own variables that it may read before they
 * have a value: a list of strings. Of the closure its code is read. */
TS_FUNCTION(int, ts_script_outside, (const ts_closure *closure, ts_value *out, ts_arena **arena))
/* The functions of base R and of the host's package that programs may call: a list of strings. */
TS_FUNCTION(int, ts_script_builtins, (ts_value *out, ts_arena **arena))

/* Graphs. A ts_graph_stage of one: as compiled or traced, with inlined calls, or the plan of the last run. Owned. */
TS_FUNCTION(int, ts_callable_graph, (const ts_callable *, int stage, ts_graph **out))
TS_FUNCTION(void, ts_graph_release, (ts_graph *)) /* no status */
TS_FUNCTION(int, ts_graph_text, (const ts_graph *, ts_value *out, ts_arena **arena))
/* A table with a row for each node in the order of execution, also of blocks and subgraphs, as a dict of columns:
 * "kind", "inputs", "outputs", "types" (of the outputs), "attributes" (name -> value), "file", "line" (0: none),
 * "source", "scope", "parent" (row of the node that holds it, from 1; 0: none), "block" (which of the parent's blocks,
 * from 1). Rows of kind prim::Param and prim::Return begin and end each block. */
TS_FUNCTION(int, ts_graph_nodes, (const ts_graph *, ts_value *out, ts_arena **arena))
/* The code of a function, as TorchScript. */
TS_FUNCTION(int, ts_callable_code, (const ts_callable *, ts_value *out, ts_arena **arena))

/* Runs the graph as it is, without profiling and optimising it. Otherwise like ts_call. */
TS_FUNCTION(int, ts_callable_interpret, (const ts_callable *, const ts_value *arguments, size_t n, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_callable_is_random, (const ts_callable *, int *out)) /* whether a node draws random numbers */

/* The executor. Whether the executor has made its final plan for arguments like those of the last run. */
TS_FUNCTION(int, ts_callable_is_optimised, (const ts_callable *, int *out))
/* Called once, with the compiler for the shim's kernels, the folder in which kernels are kept, and text that tells this
 * compiler and its flags from others. Turns the fuser on. */
TS_FUNCTION(int, ts_fuser_set_compiler, (ts_compile_kernel, const char *folder, const char *identity))
/* Waits until no kernel is being compiled. */
TS_FUNCTION(int, ts_fuser_wait, (void))
/* Counts since the process began: kernels that were compiled, that were found on disk, and that could not be compiled;
 * and how many are being compiled now. */
TS_FUNCTION(int, ts_fuser_counts, (int64_t counts[4]))
/* With 1 a call waits until its kernels are compiled, until this is called with 0. */
TS_FUNCTION(int, ts_fuser_at_once, (int at_once))
/* The groups of operators of a callable that run as kernels. For each: a list of the operators, the graph as text, why
 * no kernel ran at the last call (empty if one did), how many kernels there are, the source of the first one, and the
 * name by which LibTorch's observers are told of it. */
TS_FUNCTION(int, ts_fuser_groups, (const ts_callable *, ts_value *out, ts_arena **arena))
/* Why operators of this kind do not run as kernels: a sentence, empty if they do. */
TS_FUNCTION(int, ts_fuser_reason, (const char *kind, ts_value *out, ts_arena **arena))
/* Notes all operators that LibTorch runs between the two calls, on all threads. The result is a tuple of lists with an
 * entry for each event: name, place of the host's code, start and length in seconds, bytes read and written, how many
 * other events it runs inside of, number of the thread. */
TS_FUNCTION(int, ts_profile_start, (void))
TS_FUNCTION(int, ts_profile_stop, (ts_value *out, ts_arena **arena))
/* A ts_switch. set -1 only asks. It holds for functions that have not run yet. */
TS_FUNCTION(int, ts_jit_switch, (int which, int set, int *was))
/* LibTorch's fusion strategy, as pairs of a behaviour (0 static, 1 dynamic) and a depth. n = 0 only asks. Returns the
 * old one, a list of numbers. */
TS_FUNCTION(int, ts_fusion_strategy, (const int64_t *set, size_t n, ts_value *was, ts_arena **arena))

/* Modules. A ts_module that a function gives is owned. Modules share state as LibTorch's do. */
/* Members, methods and arguments go by the names that the host gave them. If a file can't hold a name, the program has
 * an identifier in its place, and an attribute of the module, "_r_names", tells the name. ts_identifiers() gives an
 * identifier for each name, as a list of strings. */
TS_FUNCTION(int, ts_identifiers, (const char *const *names, size_t n, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_new, (const char *name, ts_module *unit_of, ts_module **out)) /* the type is in the same unit as that of unit_of; NULL: a new unit */
TS_FUNCTION(void, ts_module_release, (ts_module *)) /* no status */
TS_FUNCTION(int, ts_module_register, (ts_module *, const char *name, ts_tensor *tensor, int is_buffer)) /* a parameter or a buffer; NULL: without a tensor */
TS_FUNCTION(int, ts_module_add_child, (ts_module *, const char *name, ts_module *child))
/* Sets an attribute that is not a tensor. Its type is the one that the value has by itself. An error if it is one of those
 * that ts_module_set_constants() named: compiled methods hold their values. It is so after the module is loaded, too. */
TS_FUNCTION(int, ts_module_set_attribute, (ts_module *, const char *name, const ts_value *value))
TS_FUNCTION(int, ts_module_set_constants, (ts_module *, const char *const *names, size_t n))
/* The attribute or constant of that name, or none. */
TS_FUNCTION(int, ts_module_get, (ts_module *, const char *name, ts_value *out, ts_arena **arena))
/* A ts_module_part: a dict by name, or a list of strings for those that are names. */
TS_FUNCTION(int, ts_module_list, (ts_module *, int part, int recursive, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_method, (ts_module *, const char *name, ts_callable **out)) /* NULL if there is none */
/* The host's names of a method's arguments, if they are not those of its schema; otherwise none. */
TS_FUNCTION(int, ts_module_set_arguments, (ts_module *, const char *method, const char *const *names, size_t n))
TS_FUNCTION(int, ts_module_arguments, (ts_module *, const char *method, ts_value *out, ts_arena **arena))
/* Replaces the parameter or buffer at a path, a name that TS_MODULE_TENSORS lists, by another tensor. */
TS_FUNCTION(int, ts_module_refer, (ts_module *, const char *path, ts_tensor *tensor))
/* Compiles methods from text. After an error none of them is defined. */
TS_FUNCTION(int, ts_module_define, (ts_module *, const char *source, const char *file, int line))
/* A copy in which all attributes but the preserved ones are constants. The module must be in eval mode. The second
 * function also optimises it for inference. */
TS_FUNCTION(int, ts_module_freeze, (ts_module *, const char *const *preserved, size_t n, int optimise_numerics, ts_module **out))
TS_FUNCTION(int, ts_module_optimise, (ts_module *, const char *const *methods, size_t n, ts_module **out))
/* Adds a method that calls `when_training` or `otherwise`, which have the same type, by the attribute `training`. */
TS_FUNCTION(int, ts_module_add_choice, (ts_module *, const char *name, const char *when_training, const char *otherwise))
TS_FUNCTION(int, ts_module_train, (ts_module *, int set, int *was)) /* set: -1 only asks */
TS_FUNCTION(const void *, ts_module_identity, (ts_module *)) /* equal for all handles of the same module. No status */
TS_FUNCTION(int, ts_module_clone, (ts_module *, ts_module **out)) /* a copy with copies of all tensors */
TS_FUNCTION(int, ts_module_type_name, (ts_module *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_from_function, (const ts_callable *, ts_module **out))
/* Saves a module. A file is replaced at once, and only if all went well; a device or a pipe is written to. With
 * `mobile` the file has bytecode too. */
TS_FUNCTION(int, ts_module_save, (ts_module *, const char *path, int mobile, const ts_extra_file *extra, size_t n_extra))
/* The bytes of such a file, as a string of len bytes. */
TS_FUNCTION(int, ts_module_serialize, (ts_module *, int mobile, const ts_extra_file *extra, size_t n_extra, ts_value *out, ts_arena **arena))
/* Loads a module. device NULL means the devices that it was saved with. allow_files tells whether its operators may
 * reach files. `extra` is a dict of the extra files, name and bytes. */
TS_FUNCTION(int, ts_module_load, (const char *path, const char *device, int allow_files, ts_module **out, ts_value *extra, ts_arena **arena))
TS_FUNCTION(int, ts_module_unserialize, (const void *data, size_t n, const char *device, int allow_files, ts_module **out, ts_value *extra, ts_arena **arena))
/* Sets which operators programs may hold, in place of earlier rules. Without rules no program may name an operator of
 * `prim`. */
TS_FUNCTION(int, ts_set_rules, (const ts_rule *rules, size_t n))

/* Tapes. From begin to end all operators are recorded, in this thread and where it has gradients computed. `inputs` are
 * the tensors that each run gets anew. If `wanted` is NULL, the recording is given up and undone, and *out is NULL. An
 * error tells why what was recorded can't be run again. Owned. */
TS_FUNCTION(int, ts_record_begin, (ts_tensor *const *inputs, size_t n))
TS_FUNCTION(int, ts_record_end, (const ts_recorded *wanted, ts_tape **out))
TS_FUNCTION(void, ts_tape_release, (ts_tape *)) /* no status */
/* Where two recordings of the same code differ: a string, empty if they do not. */
TS_FUNCTION(int, ts_tape_difference, (const ts_tape *, const ts_tape *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_tape_text, (const ts_tape *, ts_value *out, ts_arena **arena)) /* a line for each operator */
/* Sets the gradients of `params` to those of the loss alone. Each gets memory of its own, laid out as its parameter. A
 * parameter on which the loss does not depend gets zeros if it had a gradient, otherwise none. */
TS_FUNCTION(int, ts_gradients_anew, (ts_tensor *loss, ts_tensor *const *params, size_t n))
/* Makes the steps of a training and returns the loss of the last one, owned. The host may stop it between steps. */
TS_FUNCTION(int, ts_train, (const ts_training *, ts_tensor **loss))
