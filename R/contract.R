# Numbers that the glue passes on to the shim, by name. Each vector is an enum of inst/shim/include/torch_shim.h, but for
# `tensor_facts`, which is the glue's own enum `Fact` in src/tensor.cpp. test-contract.R compares them.

tensor_facts <- c(
  dtype = 0L, device = 1L, requires_grad = 2L, is_leaf = 3L, ndim = 4L, is_cuda = 5L, layout = 6L, is_sparse = 7L,
  is_quantized = 8L, is_floating_point = 9L, is_complex = 10L, strides = 11L, defined = 12L, sizes = 13L
)
# Makes a function that asks a tensor for one fact. The number stands in its body, because such functions are called as
# often as operators. `make` turns the answer into R's object.
tensor_fact <- function(name, make) {
  eval(bquote(function(x) .(substitute(make))(.Call(C_field, x, .(tensor_facts[[name]])))))
}
# The same function as a method, which finds its tensor as `self`.
self_fact <- function(name) eval(bquote(function() .Call(C_field, self, .(tensor_facts[[name]]))))

registries <- c(dispatcher = 0L, jit = 1L)
operator_schemas <- function(registry) as.character(cpp_operator_schemas(registries[[registry]]))

graph_stages <- c(written = 0L, inlined = 1L, plan = 2L)
module_parts <- c(
  parameters = 0L, buffers = 1L, children = 2L, methods = 3L, attributes = 4L, modules = 5L, tensors = 6L
)
object_parts <- c(type = 0L, attributes = 1L, properties = 2L, methods = 3L)
object_members <- c(method = 0L, getter = 1L, setter = 2L)
jit_switches <- c(executor = 0L, profiling = 1L, profiled_runs = 2L, optimize = 3L, cpu = 4L, cuda = 5L, own = 6L)
backend_facts <- c(mkl = 0L, mkldnn = 1L, openmp = 2L, mps = 3L, cudnn = 4L, cudart = 5L)
