/* Every function of the shim, one line each: included by torch_shim.h to declare them and by src/load to look them up. */

/* Library. The first four return no status. */
/* Which contract the shim was built with: the MD5 sums of torch_shim.h and of this file with "-" between them, static. A
 * host refuses a shim of another. */
TS_FUNCTION(const char *, ts_contract, (void))
TS_FUNCTION(const char *, ts_built_for, (void)) /* LibTorch's version at compile time, static */
/* The message is valid until the thread's next call. */
TS_FUNCTION(const char *, ts_last_error, (void))
TS_FUNCTION(const char *, ts_last_error_trace, (void)) /* with LibTorch's C++ trace */
/* Once, after loading, in the thread whose functions the host's are. */
TS_FUNCTION(int, ts_initialise, (const ts_host *))
/* How many of LibTorch's warnings wait in the thread that called ts_initialise; the address is valid for ever. */
TS_FUNCTION(const int *, ts_warnings, (void))
/* The oldest of them, NULL if there is none; valid until the next call. */
TS_FUNCTION(const char *, ts_take_warning, (void))

/* Results. Releases what the host did not take: a handle is taken by setting it to NULL. NULL is fine. No status. */
TS_FUNCTION(void, ts_arena_release, (ts_arena *))

/* Operators. Overloads of "aten::add": borrowed for ever; n = 0 if there is no such name. */
TS_FUNCTION(int, ts_operator_find, (const char *name, const ts_callable *const **overloads, size_t *n))
/* The same with the overloads that only the JIT knows, as for numbers and strings. */
TS_FUNCTION(int, ts_operator_find_all, (const char *name, const ts_callable *const **overloads, size_t *n))
/* LibTorch's kinds of the types of the overload that it lists first: a named dict of the arguments, a list of the
 * results. A tuple of the two. */
TS_FUNCTION(int, ts_operator_kinds, (const char *name, ts_value *out, ts_arena **arena))
/* All schemas of a ts_registry: the dispatcher's, or those that only the JIT knows. A list of strings. */
TS_FUNCTION(int, ts_operator_schemas, (int registry, ts_value *out, ts_arena **arena))

/* Callables. The schema is borrowed from the callable. No status. */
TS_FUNCTION(const ts_schema *, ts_callable_schema, (const ts_callable *))
/* The default of argument i. */
TS_FUNCTION(int, ts_callable_default, (const ts_callable *, size_t i, ts_value *out, ts_arena **arena))
/* Only for callables that were given as owned. No status. */
TS_FUNCTION(void, ts_callable_release, (ts_callable *))
/* Exactly as many arguments as the schema has. *arena is NULL if the result needs none; else the host releases it.
 * A TS_TENSOR result at top level is owned. */
TS_FUNCTION(int, ts_call, (const ts_callable *, const ts_value *arguments, size_t n, ts_value *out, ts_arena **arena))

/* Tensors. */
TS_FUNCTION(void, ts_tensor_release, (ts_tensor *)) /* no status */
/* The same for a host that finds out late, and of many at once: small ones wait until later calls free them one by one.
 * Only from the thread that calls operators. No status. */
TS_FUNCTION(void, ts_tensor_release_later, (ts_tensor *))
TS_FUNCTION(void, ts_tensor_release_waiting, (void)) /* frees all that wait; no status */
/* Whether anything but this handle holds the tensor, or the node by which its gradient goes on. */
TS_FUNCTION(int, ts_tensor_is_shared, (ts_tensor *, int *out))
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
 * from any thread, or by this call where it fails. Owned. */
TS_FUNCTION(int, ts_tensor_from_buffer, (void *data, const int64_t *sizes, size_t ndim, int dtype, void (*release)(void *), void *context, ts_tensor **out))
/* The element of a tensor with one element, as a scalar value. */
TS_FUNCTION(int, ts_tensor_item, (ts_tensor *, ts_value *out))
/* Where its memory begins, 0 if it has none of its own. */
TS_FUNCTION(int, ts_tensor_storage, (ts_tensor *, uint64_t *out))
/* Writes the parts one behind the other, to a file that takes its name when it is whole; `path` NULL: *out is the bytes. */
TS_FUNCTION(int, ts_parts_write, (const char *path, const ts_part *parts, size_t n, ts_value *out, ts_arena **arena))
/* Reads tensors out of a file, or where `path` is NULL out of `bytes`. A piece that goes beyond the end is an error. `out` has
 * room for n handles, NULL before; those that are set are owned, after an error too. */
TS_FUNCTION(int, ts_pieces_read, (const char *path, const void *bytes, size_t size, const ts_piece *pieces, size_t n, const char *device, ts_tensor **out))
/* Writes a file as Python's torch.save() does; `path` NULL: *out is the bytes. Tensors that share memory will. */
TS_FUNCTION(int, ts_values_write, (const char *path, const ts_values *values, ts_value *out, ts_arena **arena))
/* Reads such a file, or where `path` is NULL `bytes`. A tuple of lists: for each value, which stands behind those that it
 * holds, its ts_pickled; its number (of a bool, an int and a dtype itself; of a float and a complex number its place among
 * the numbers; of a text, a device and bytes its place among the texts; of a tensor its place; of a list and a dict how many
 * places it takes, of a dict for keys and values in turn); what lists and dicts hold, one behind the other; numbers; texts
 * (bytes are lists of int); tensors. Places count from 0, what is held from 1. Nothing in the file is run. */
TS_FUNCTION(int, ts_values_read, (const char *path, const void *bytes, size_t size, const char *device, ts_value *out, ts_arena **arena))
/* Index values that count from 1 (negative from the end) to those that count from 0; 0 is an error. Owned. */
TS_FUNCTION(int, ts_positions_from_one, (ts_tensor *, ts_tensor **out))
/* Positions that LibTorch gives, counted from 1. Owned. */
TS_FUNCTION(int, ts_positions_to_one, (ts_tensor *, ts_tensor **out))

/* Indexing. Entry by entry, each on the next dimensions; what no entry takes stays whole. drop 0: the dimension of a
 * number stays, with size 1. Owned; the tensor itself if nothing was to be done. */
TS_FUNCTION(int, ts_tensor_index, (ts_tensor *, const ts_index *, size_t n, int drop, ts_tensor **out))
/* Writes a number or a tensor, converted to the dtype and broadcast, into what the index selects. At most one of the
 * entries may be a tensor, and then the value must be one. */
TS_FUNCTION(int, ts_tensor_index_put, (ts_tensor *, const ts_index *, size_t n, const ts_value *value))

/* Autograd. */
TS_FUNCTION(int, ts_grad_mode, (int set, int *was)) /* set: 0 off, 1 on, -1 ask only */
TS_FUNCTION(int, ts_tensor_grad, (ts_tensor *, ts_tensor **out)) /* owned, may be undefined */
TS_FUNCTION(int, ts_tensor_set_grad, (ts_tensor *, ts_tensor *grad)) /* NULL: none */
TS_FUNCTION(int, ts_tensor_set_requires_grad, (ts_tensor *, int requires_grad))
/* The node of the graph that made it, owned; NULL for a leaf. */
TS_FUNCTION(int, ts_tensor_grad_fn, (ts_tensor *, ts_node **out))
TS_FUNCTION(int, ts_node_name, (ts_node *, ts_value *out, ts_arena **arena)) /* a string */
/* The node that the gradient of its input i goes to, owned; NULL if it goes nowhere. n: how many inputs there are. */
TS_FUNCTION(int, ts_node_next, (ts_node *, size_t i, ts_node **out, size_t *n))
TS_FUNCTION(void, ts_node_release, (ts_node *)) /* no status */
/* Makes `outputs`, computed from `inputs` unrecorded, results of a node whose gradients `backward` computes: it gets the
 * gradients of the outputs and then `saved`, and gives a list of one tensor or none for each input. materialize: missing
 * gradients are zeros. `dirty` inputs were changed in place, `fixed` outputs have no derivative. out[i] is owned. */
TS_FUNCTION(int, ts_autograd_record, (const ts_host_function *backward, int materialize, const ts_tensors *inputs, const ts_tensors *outputs, const ts_tensors *saved, const ts_tensors *dirty, const ts_tensors *fixed, ts_tensor **out))
/* `hook` gets the gradient and gives a list of one tensor that replaces it, or none. */
TS_FUNCTION(int, ts_tensor_register_hook, (ts_tensor *, const ts_host_function *hook, int64_t *id))
TS_FUNCTION(int, ts_tensor_remove_hook, (ts_tensor *, int64_t id))
/* Nodes remember where the host's code recorded them; check_nan: a gradient that is NaN is an error. */
TS_FUNCTION(int, ts_anomaly_mode, (int set, int check_nan, int *was, int *checked_nan))
/* `grads` may hold NULL. `inputs`: only these accumulate; n_inputs = 0: all leaves. */
TS_FUNCTION(int, ts_backward, (ts_tensor *const *tensors, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph))
/* A list of n_inputs tensors. */
TS_FUNCTION(int, ts_gradients, (ts_tensor *const *outputs, ts_tensor *const *grads, size_t n, ts_tensor *const *inputs, size_t n_inputs, int retain_graph, int create_graph, int allow_unused, ts_value *out, ts_arena **arena))
/* Gradients of all to zero, or away. */
TS_FUNCTION(int, ts_zero_grad, (ts_tensor *const *tensors, size_t n, int set_to_none))
/* Forward mode. A level is of the process, not of a thread; when it is left, every tensor loses its tangent of it. The last
 * one entered is the first to be left. */
TS_FUNCTION(int, ts_forward_level_enter, (uint64_t *level))
TS_FUNCTION(int, ts_forward_level_exit, (uint64_t level))

/* Mixed precision of a device type. nesting 1: a region begins, -1: it ends, and with the outermost one the casts that
 * were kept. Sets the three (dtype, cache -1: not) and gives back what they were. */
TS_FUNCTION(int, ts_autocast, (const char *device, int nesting, int *enabled, int *dtype, int *cache))

/* dtypes are LibTorch's ScalarType numbers. The name is static: "Float"; NULL if there is no such dtype. No status. */
TS_FUNCTION(const char *, ts_dtype_name, (int dtype))
TS_FUNCTION(int, ts_default_dtype, (int set, int *was)) /* set: -1 ask only */
TS_FUNCTION(int, ts_dtype_info, (int dtype, int *is_floating_point, int *is_complex, int *size))

/* Devices, random numbers, threads, memory. */
TS_FUNCTION(int, ts_device_check, (const char *device, ts_value *out, ts_arena **arena)) /* its normal spelling */
TS_FUNCTION(int, ts_manual_seed, (uint64_t seed))
TS_FUNCTION(int, ts_generator_new, (ts_generator **out)) /* CPU; owned */
/* The default one of a device such as "cuda:0". Owned, and the same generator each time. */
TS_FUNCTION(int, ts_generator_of_device, (const char *device, ts_generator **out))
TS_FUNCTION(int, ts_generator_seed, (ts_generator *, int set, uint64_t *seed)) /* NULL: the default CPU generator */
TS_FUNCTION(int, ts_generator_state, (ts_generator *, ts_tensor *set, ts_tensor **out)) /* set NULL: give a copy, owned */
TS_FUNCTION(void, ts_generator_release, (ts_generator *)) /* no status */
TS_FUNCTION(int, ts_threads, (int interop, int set, int *out)) /* set: 0 ask only */
TS_FUNCTION(void, ts_memory_stats, (ts_memory *out)) /* no status */
TS_FUNCTION(void, ts_memory_mark, (void))            /* allocated_bytes begins anew; no status */
TS_FUNCTION(void, ts_memory_mark_peak, (void))       /* no status */

/* Freed blocks of `smallest` bytes and more are kept for reuse up to a limit, none before the host has set it; flush and a
 * new limit give them back. No status. */
TS_FUNCTION(void, ts_memory_flush, (void))
TS_FUNCTION(void, ts_memory_set_cache, (int64_t limit, int64_t smallest))
/* Memory of the same store, and counted with it, for the host's own large vectors (64 KiB and more). No status; throws
 * nothing: NULL if there is none. */
TS_FUNCTION(void *, ts_memory_take, (size_t n))
TS_FUNCTION(void, ts_memory_give, (void *block))

/* CUDA devices, by number. All but the count, the rates and is_due need one that is there. */
TS_FUNCTION(int, ts_cuda_device_count, (int *out))
TS_FUNCTION(int, ts_cuda_current_device, (int *out))
TS_FUNCTION(int, ts_cuda_synchronize, (int device))
TS_FUNCTION(int, ts_cuda_capability, (int device, int *major, int *minor))
/* A list of numbers: num_alloc_retries, num_ooms, max_split_size; then current, peak, allocated, freed of
 * oversize_allocations, oversize_segments, and of all, small_pool, large_pool of allocation, segment, active,
 * inactive_split, allocated_bytes, reserved_bytes, active_bytes, inactive_split_bytes. */
TS_FUNCTION(int, ts_cuda_memory_stats, (int device, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_cuda_empty_cache, (void))
/* As PyTorch's function of that name; enabled and context may be NULL. */
TS_FUNCTION(int, ts_cuda_record_history, (const char *enabled, const char *context, const char *stacks, int64_t max_entries))
TS_FUNCTION(int, ts_cuda_snapshot, (ts_value *out, ts_arena **arena)) /* a pickle, as a string of len bytes */
/* What garbage the host should look for now, since so much of a device is reserved, in use, or may be garbage. Asked again
 * after a young collection, it tells whether that was not enough. Rates are shares of the device's memory, the last one
 * of what is reserved. No status. */
TS_FUNCTION(ts_due, ts_cuda_due, (void))
TS_FUNCTION(void, ts_cuda_set_rates, (double reserved, double allocated, double allocated_of_reserved))

/* A ts_backend_fact. */
TS_FUNCTION(int, ts_backend, (int fact, int64_t *out))
TS_FUNCTION(int, ts_mps_synchronize, (void))

/* Objects. */
TS_FUNCTION(void, ts_object_release, (ts_object *)) /* no status */
/* Whether a module, object or enum member is of a type; 1 or 0, no status. */
TS_FUNCTION(int, ts_value_fits, (const ts_value *, const ts_type *))
/* A ts_object_part: the name of its type, a string; of the others the names, a list of strings. */
TS_FUNCTION(int, ts_object_describe, (ts_object *, int part, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_object_attribute, (ts_object *, const char *name, ts_value *out, ts_arena **arena))
/* A ts_object_member: a method, what reads a property, or what sets a property or an attribute and takes one argument.
 * Owned; NULL if there is none. */
TS_FUNCTION(int, ts_object_member, (ts_object *, const char *name, int member, ts_callable **out))
/* The result of a future, waited for. */
TS_FUNCTION(int, ts_future_wait, (ts_object *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_future_done, (ts_object *, int *out))

/* Tracing. Runs `fn` once on the inputs and records it; `names` are the arguments' names. With a module the graph
 * becomes its method `method`, and its parameters and buffers become attributes of the graph; *out is owned. */
TS_FUNCTION(int, ts_trace, (ts_host_fn fn, void *context, const ts_value *inputs, const char *const *names, size_t n, ts_module *self, const char *method, ts_callable **out))
TS_FUNCTION(int, ts_is_tracing, (void)) /* 1 or 0, no status */
/* suspend 1: what runs from now on is not recorded, and another trace may begin; 0: the one that was suspended last goes
 * on. */
TS_FUNCTION(int, ts_trace_suspend, (int suspend))
/* Whether the running trace has recorded where the tensor comes from: 1 or 0, no status. */
TS_FUNCTION(int, ts_trace_knows, (ts_tensor *))
/* Where the host's code is: nodes recorded from now on carry it. A source lives as long as its trace; source -1: nowhere.
 * Positions are bytes of the text; its first line is line `first_line` of the file, counted from 1. */
TS_FUNCTION(int, ts_trace_source, (const char *name, const char *text, int first_line, int *source))
TS_FUNCTION(int, ts_trace_place, (int source, size_t begin, size_t end))
/* A size as the trace's own value, a 0-d int64 tensor; dim -1: the number of elements. NULL where the trace does not
 * know the tensor. Owned. */
TS_FUNCTION(int, ts_trace_size, (ts_tensor *, int64_t dim, ts_tensor **out))
/* Traces once more and compares with a callable that was traced before: the first node that is another one, else the
 * first whose result in the trace is not what the graph gives, run after `state` (may be NULL) was restored. A list of
 * strings: the node's operator, its place, its source text; or none. */
TS_FUNCTION(int, ts_trace_difference, (const ts_callable *, ts_host_fn fn, void *context, const ts_value *inputs, const char *const *names, size_t n, ts_module *self, ts_state *state, double rtol, double atol, ts_value *out, ts_arena **arena))
/* What LibTorch's tracer warned of in the last trace of this thread: strings. */
TS_FUNCTION(int, ts_trace_warnings, (ts_value *out, ts_arena **arena))

/* What a run of the host's code may change: values and gradients of these tensors, the default random number
 * generators' states. Owned. */
TS_FUNCTION(int, ts_state_save, (ts_tensor *const *tensors, size_t n, ts_state **out))
TS_FUNCTION(int, ts_state_restore, (ts_state *))
TS_FUNCTION(void, ts_state_release, (ts_state *)) /* no status */

/* TorchScript text. `file` and `line` say where the source begins, for messages. The unit keeps what it uses alive. */
TS_FUNCTION(int, ts_unit_compile, (const char *source, const char *file, int line, const ts_use *uses, size_t n_uses, ts_unit **out))
/* What the source defines, in its order: name -> list of the kind ("function", "class", "NamedTuple", "enum") and lines
 * that describe it, methods or members last. */
TS_FUNCTION(int, ts_unit_list, (ts_unit *, ts_value *out, ts_arena **arena))
/* A function, or what makes an instance of a class or a NamedTuple. Owned; keeps its unit alive. */
TS_FUNCTION(int, ts_unit_function, (ts_unit *, const char *name, ts_callable **out))
/* The members of an enum by name. */
TS_FUNCTION(int, ts_unit_enum, (ts_unit *, const char *name, ts_value *out, ts_arena **arena))
TS_FUNCTION(void, ts_unit_release, (ts_unit *)) /* no status */
/* Where `print` goes. Kept until the next call. */
TS_FUNCTION(int, ts_set_print, (ts_print_fn print))

/* Compiles R's code. `types` of the arguments as TorchScript writes them, or else `examples` of them (NULL: tensors); n is
 * the number of the function's formals. Owned. */
TS_FUNCTION(int, ts_script_compile, (const ts_program *program, const char *const *types, const ts_value *examples, size_t n, ts_callable **out))
/* Compiles a method of the program's first module, and what it calls of the others. Types and examples as before. */
TS_FUNCTION(int, ts_script_define, (const ts_program *program, const char *method, const char *const *types, const ts_value *examples, size_t n))
/* The functions of base R and of the host's package that programs may call: strings. */
TS_FUNCTION(int, ts_script_builtins, (ts_value *out, ts_arena **arena))

/* Graphs, of a ts_graph_stage: as compiled or traced, with calls inlined, the plan of the last run. Owned. */
TS_FUNCTION(int, ts_callable_graph, (const ts_callable *, int stage, ts_graph **out))
TS_FUNCTION(void, ts_graph_release, (ts_graph *)) /* no status */
TS_FUNCTION(int, ts_graph_text, (const ts_graph *, ts_value *out, ts_arena **arena))
/* One row a node in the order of execution, also of blocks and subgraphs, as a dict of columns: "kind", "inputs",
 * "outputs", "types" (of the outputs), "attributes" (name -> value), "file", "line" (0: none), "source", "scope",
 * "parent" (row of the node that holds it, from 1; 0: none), "block" (which of the parent's, from 1). Rows of kind
 * prim::Param and prim::Return begin and end each block. */
TS_FUNCTION(int, ts_graph_nodes, (const ts_graph *, ts_value *out, ts_arena **arena))
/* TorchScript code of a function. */
TS_FUNCTION(int, ts_callable_code, (const ts_callable *, ts_value *out, ts_arena **arena))

/* Runs the graph as it is, without profiling or optimising it; else as ts_call. */
TS_FUNCTION(int, ts_callable_interpret, (const ts_callable *, const ts_value *arguments, size_t n, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_callable_is_random, (const ts_callable *, int *out)) /* whether a node draws random numbers */

/* The executor. Whether the next runs will follow the final plan of the last one's kind of arguments. */
TS_FUNCTION(int, ts_callable_is_optimised, (const ts_callable *, int *out))
/* Once: the compiler for kernels of the shim's own, the folder in which they are kept, and what tells this compiler and
 * its flags from others. Turns the fuser on. */
TS_FUNCTION(int, ts_fuser_set_compiler, (ts_compile_kernel, const char *folder, const char *identity))
/* Waits until no kernel is being compiled. */
TS_FUNCTION(int, ts_fuser_wait, (void))
/* Since the process began: kernels that were compiled, that were found on disk, that could not be compiled, and those that
 * are being compiled now. */
TS_FUNCTION(int, ts_fuser_counts, (int64_t counts[4]))
/* Calls of a callable wait for its kernels, until this is called with 0. */
TS_FUNCTION(int, ts_fuser_at_once, (int at_once))
/* A callable's groups of operators that run as kernels: for each a list of the operators, the graph as text, why no kernel
 * ran at the last call (empty if one did), how many kernels there are, the source of the first one, and the name under which
 * LibTorch's observers hear of it. */
TS_FUNCTION(int, ts_fuser_groups, (const ts_callable *, ts_value *out, ts_arena **arena))
/* Why an operator of a graph's node would run by itself, by its kind: a sentence, empty if kernels compute it. */
TS_FUNCTION(int, ts_fuser_reason, (const char *kind, ts_value *out, ts_arena **arena))
/* From here to the second call all operators are noted that LibTorch runs, on all threads. The result is a tuple of lists,
 * an entry an event: name, place of the host's code, start and length in seconds, bytes that it reads and writes, how many
 * events it runs inside of, number of the thread. */
TS_FUNCTION(int, ts_profile_start, (void))
TS_FUNCTION(int, ts_profile_stop, (ts_value *out, ts_arena **arena))
/* A ts_switch. set: -1 ask only. Holds for functions that have not run yet. */
TS_FUNCTION(int, ts_jit_switch, (int which, int set, int *was))
/* The fusion strategy as pairs of behaviour (0 static, 1 dynamic) and depth; n = 0 asks only. A list of numbers. */
TS_FUNCTION(int, ts_fusion_strategy, (const int64_t *set, size_t n, ts_value *was, ts_arena **arena))

/* Modules. All that give a ts_module give it owned; modules share state as LibTorch's do. */
/* Members, methods and arguments go by the names that the host gave them. Where a file can't hold such a name, the program
 * has an identifier in its place, and an attribute of the module, "_r_names", tells which. One for each name: */
TS_FUNCTION(int, ts_identifiers, (const char *const *names, size_t n, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_new, (const char *name, ts_module *unit_of, ts_module **out)) /* unit_of: share its type's home */
TS_FUNCTION(void, ts_module_release, (ts_module *)) /* no status */
TS_FUNCTION(int, ts_module_register, (ts_module *, const char *name, ts_tensor *tensor, int is_buffer)) /* tensor NULL: none */
TS_FUNCTION(int, ts_module_add_child, (ts_module *, const char *name, ts_module *child))
/* An attribute that is no tensor, by the natural type of the value. */
TS_FUNCTION(int, ts_module_set_attribute, (ts_module *, const char *name, const ts_value *value))
/* The attribute or constant of that name, or none. */
TS_FUNCTION(int, ts_module_get, (ts_module *, const char *name, ts_value *out, ts_arena **arena))
/* A ts_module_part. A dict by name, where the names are all that is asked for a list. */
TS_FUNCTION(int, ts_module_list, (ts_module *, int part, int recursive, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_method, (ts_module *, const char *name, ts_callable **out)) /* NULL if there is none */
/* The host's names of a method's arguments where they are not those of its schema, or none. */
TS_FUNCTION(int, ts_module_set_arguments, (ts_module *, const char *method, const char *const *names, size_t n))
TS_FUNCTION(int, ts_module_arguments, (ts_module *, const char *method, ts_value *out, ts_arena **arena))
/* Puts another tensor in the place of the parameter or buffer that 6 of ts_module_list() names so. */
TS_FUNCTION(int, ts_module_refer, (ts_module *, const char *path, ts_tensor *tensor))
/* Methods as text; all of them or none. */
TS_FUNCTION(int, ts_module_define, (ts_module *, const char *source, const char *file, int line))
/* A copy in which all attributes but the preserved ones are constants; the module must be in eval mode. */
TS_FUNCTION(int, ts_module_freeze, (ts_module *, const char *const *preserved, size_t n, int optimise_numerics, ts_module **out))
TS_FUNCTION(int, ts_module_optimise, (ts_module *, const char *const *methods, size_t n, ts_module **out))
/* A method that calls `when_training` or `otherwise` by the attribute `training`; both have one type. */
TS_FUNCTION(int, ts_module_add_choice, (ts_module *, const char *name, const char *when_training, const char *otherwise))
TS_FUNCTION(int, ts_module_train, (ts_module *, int set, int *was)) /* set: -1 ask only */
TS_FUNCTION(const void *, ts_module_identity, (ts_module *)) /* the same of all handles of one module; no status */
TS_FUNCTION(int, ts_module_clone, (ts_module *, ts_module **out)) /* with copies of all tensors */
TS_FUNCTION(int, ts_module_type_name, (ts_module *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_module_from_function, (const ts_callable *, ts_module **out))
/* A file is replaced at once and only if all went well; a device or a pipe is written to. mobile: with bytecode. */
TS_FUNCTION(int, ts_module_save, (ts_module *, const char *path, int mobile, const ts_extra_file *extra, size_t n_extra))
/* The bytes of the file as a string of len bytes. */
TS_FUNCTION(int, ts_module_serialize, (ts_module *, int mobile, const ts_extra_file *extra, size_t n_extra, ts_value *out, ts_arena **arena))
/* device NULL: as saved. allow_files: whether its operators may reach files. `extra`: a dict of the extra files, name and
 * bytes. */
TS_FUNCTION(int, ts_module_load, (const char *path, const char *device, int allow_files, ts_module **out, ts_value *extra, ts_arena **arena))
TS_FUNCTION(int, ts_module_unserialize, (const void *data, size_t n, const char *device, int allow_files, ts_module **out, ts_value *extra, ts_arena **arena))
/* What programs may hold, in place of what was set before. Until then none may name an operator of `prim`. */
TS_FUNCTION(int, ts_set_rules, (const ts_rule *rules, size_t n))

/* Tapes. From begin to end all operators are recorded, in this thread and where it has gradients computed; the inputs are
 * what each run gets anew. `wanted` NULL: the recording is given up and undone, *out is NULL. An error says why what was recorded can't be run again. Owned. */
TS_FUNCTION(int, ts_record_begin, (ts_tensor *const *inputs, size_t n))
TS_FUNCTION(int, ts_record_end, (const ts_recorded *wanted, ts_tape **out))
TS_FUNCTION(void, ts_tape_release, (ts_tape *)) /* no status */
/* Where two recordings of one code differ: a string, empty if nowhere. */
TS_FUNCTION(int, ts_tape_difference, (const ts_tape *, const ts_tape *, ts_value *out, ts_arena **arena))
TS_FUNCTION(int, ts_tape_text, (const ts_tape *, ts_value *out, ts_arena **arena)) /* an operator a line */
/* The gradients of `params` become those of the loss alone, each in memory of its own and laid out as its parameter; zeros
 * where a parameter had one and the loss does not depend on it. */
TS_FUNCTION(int, ts_gradients_anew, (ts_tensor *loss, ts_tensor *const *params, size_t n))
/* The loss of the last step, owned. May be stopped between steps. */
TS_FUNCTION(int, ts_train, (const ts_training *, ts_tensor **loss))
