#include "script/builtins.h"

namespace shim::script {

const char* const kBuiltinsOfTensors = R"(
## inner:as_tensor
def f(x: float) -> Tensor:
  return torch.tensor(x)
def f(x: int) -> Tensor:
  return torch.tensor(x)
def f(x: bool) -> Tensor:
  return torch.tensor(x)
## inner:beside
def f(x: float, other: Tensor) -> Tensor:
  dtype: Optional[int] = None
  if other.is_floating_point() or other.is_complex():
    dtype = other.dtype
  return torch.scalar_tensor(x, dtype=dtype, device=other.device)
def f(x: int, other: Tensor) -> Tensor:
  return torch.scalar_tensor(x, dtype=torch.int64 if other.dtype == torch.bool else other.dtype, device=other.device)
def f(x: bool, other: Tensor) -> Tensor:
  return torch.scalar_tensor(x, dtype=other.dtype, device=other.device)
## inner:numbers
def f(x: List[float], dtype: int) -> Tensor:
  # TorchScript makes float32 of a list of numbers on their way to any other dtype.
  if dtype == torch.float32 or len(x) == 0:
    return torch.tensor(x, dtype=dtype)
  return torch.stack([torch.scalar_tensor(one, dtype=torch.float64) for one in x]).to(dtype)
## inner:positions
def f(x: Tensor) -> Tensor:
  if x.dtype == torch.bool:
    return x
  if bool((x == 0).any()):
    raise Exception("Indexing in R is 1-based and found a 0.")
  return torch.where(x > 0, x - 1, x)
def f(x: List[int]) -> Tensor:
  out: List[int] = []
  for one in x:
    if one == 0:
      raise Exception("Indexing in R is 1-based and found a 0.")
    out.append(one - 1 if one > 0 else one)
  return torch.tensor(out, dtype=torch.int64)
def f(x: List[bool]) -> Tensor:
  return torch.tensor(x, dtype=torch.bool)
## inner:all_positions
def f(x: List[int]) -> List[int]:
  out: List[int] = []
  for one in x:
    if one == 0:
      raise Exception("Indexing in R is 1-based and found a 0.")
    out.append(one - 1 if one > 0 else one)
  return out
## inner:along
def f(x: Tensor, dim: int, at: Tensor) -> Tensor:
  gaps: List[Optional[Tensor]] = []
  n = dim
  if n < 0:
    n = n + x.dim()
  for i in range(n):
    gaps.append(None)
  gaps.append(at)
  return torch.ops.aten.index(x, gaps)
## inner:from_one
def f(x: Tensor) -> Tensor:
  return x + 1
## inner:end
def f(x: Tensor, dim: int, a: int, b: int) -> int:
  if b == 0:
    raise Exception("Indexing in R is 1-based and found a 0.")
  if a < 0 or b > 0:
    first = a
    if a < 0 and b > 0:
      first = a + x.size(dim) + 1
    if first > b:
      raise Exception("The slice " + str(a) + ":" + str(b) + " counts down: `torch_flip()` or a vector of positions "
                      "reverses, `" + str(a) + ":N` is all from there on.")
  if b > 0:
    return b
  if b == -1:
    return 9223372036854775807
  return b + 1
## inner:put_number
def f(x: Tensor, value: float) -> Tensor:
  return x.fill_(value)
def f(x: Tensor, value: int) -> Tensor:
  return x.fill_(value)
def f(x: Tensor, value: bool) -> Tensor:
  return x.fill_(value)
def f(x: Tensor, value: Tensor) -> Tensor:
  while value.dim() > x.dim() and value.size(0) == 1:
    value = value.squeeze(0)
  return x.copy_(value)
def f(x: Tensor, value: List[float]) -> Tensor:
  return x.copy_(numbers(value, x.dtype))
def f(x: Tensor, value: List[int]) -> Tensor:
  return x.copy_(torch.tensor(value))
## inner:put_tensor
def f(x: Tensor, at: List[Optional[Tensor]], value: Tensor) -> Tensor:
  return x.index_put_(at, value.to(x.dtype))
def f(x: Tensor, at: List[Optional[Tensor]], value: float) -> Tensor:
  return x.index_put_(at, torch.scalar_tensor(value, dtype=torch.float64).to(x.dtype))
def f(x: Tensor, at: List[Optional[Tensor]], value: List[float]) -> Tensor:
  return x.index_put_(at, numbers(value, x.dtype))
## inner:block_of
def f(x: Tensor, dims: List[int], places: List[Tensor]) -> List[Optional[Tensor]]:
  at: List[Optional[Tensor]] = []
  n = x.dim()
  if len(dims) == 1:
    for i in range(dims[0] if dims[0] >= 0 else dims[0] + n):
      at.append(None)
    at.append(places[0])
    return at
  # Positions of several dimensions stand for all of their combinations.
  for i in range(n):
    place = torch.arange(x.size(i), device=x.device)
    for k in range(len(dims)):
      if dims[k] == i or dims[k] == i - n:
        place = places[k]
        if place.dtype == torch.bool:
          place = torch.nonzero(place).squeeze(1)
    shape = [1] * n
    shape[i] = -1
    at.append(place.reshape(shape))
  return at
## inner:put_at
def f(x: Tensor, dims: List[int], places: List[Tensor], value: Tensor) -> Tensor:
  return x.index_put_(block_of(x, dims, places), value.to(x.dtype))
def f(x: Tensor, dims: List[int], places: List[Tensor], value: float) -> Tensor:
  return x.index_put_(block_of(x, dims, places), torch.scalar_tensor(value, dtype=torch.float64).to(x.dtype))
def f(x: Tensor, dims: List[int], places: List[Tensor], value: List[float]) -> Tensor:
  return x.index_put_(block_of(x, dims, places), numbers(value, x.dtype))
## torch_tensor
def f(data: Tensor, dtype: Optional[int] = None, device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  return data.detach().clone().to(data.dtype if dtype is None else dtype)
def f(data: float, *, device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  return torch.tensor([data], device=device, requires_grad=requires_grad)
def f(data: float, dtype: Optional[int], device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  if dtype is None:
    return torch.tensor([data], device=device, requires_grad=requires_grad)
  out = torch.full([1], data, dtype=torch.float64).to(dtype)
  if device is not None:
    out = out.to(device)
  return out.requires_grad_(requires_grad)
def f(data: int, dtype: Optional[int] = None, device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  return torch.tensor([data], dtype=dtype, device=device, requires_grad=requires_grad)
def f(data: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.tensor([data], dtype=dtype, device=device)
def f(data: List[float], *, device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  return torch.tensor(data, device=device, requires_grad=requires_grad)
def f(data: List[float], dtype: Optional[int], device: Optional[Device] = None, requires_grad: bool = False) -> Tensor:
  if dtype is None:
    return torch.tensor(data, device=device, requires_grad=requires_grad)
  out = numbers(data, dtype)
  if device is not None:
    out = out.to(device)
  return out.requires_grad_(requires_grad)
def f(data: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.tensor(data, dtype=dtype, device=device)
def f(data: List[bool], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.tensor(data, dtype=dtype, device=device)
## torch_scalar_tensor
def f(value: float, dtype: Optional[int] = None) -> Tensor:
  if dtype is None:
    return torch.scalar_tensor(value)
  return torch.scalar_tensor(value, dtype=torch.float64).to(dtype)
def f(value: int, dtype: Optional[int] = None) -> Tensor:
  return torch.tensor(value, dtype=dtype)
def f(value: bool, dtype: Optional[int] = None) -> Tensor:
  return torch.tensor(value, dtype=dtype)
## torch_zeros
def f(size: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.zeros(size, dtype=dtype, device=device)
def f(size: List[int], requires_grad: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.zeros(size, dtype=dtype, device=device).requires_grad_(requires_grad)
## torch_ones
def f(size: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.ones(size, dtype=dtype, device=device)
def f(size: List[int], requires_grad: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.ones(size, dtype=dtype, device=device).requires_grad_(requires_grad)
## torch_rand
def f(size: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.rand(size, dtype=dtype, device=device)
def f(size: List[int], requires_grad: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.rand(size, dtype=dtype, device=device).requires_grad_(requires_grad)
## torch_randn
def f(size: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.randn(size, dtype=dtype, device=device)
def f(size: List[int], requires_grad: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.randn(size, dtype=dtype, device=device).requires_grad_(requires_grad)
## torch_empty
def f(size: List[int], dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.empty(size, dtype=dtype, device=device)
def f(size: List[int], requires_grad: bool, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.empty(size, dtype=dtype, device=device).requires_grad_(requires_grad)
## torch_full
def f(size: List[int], fill_value: int, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.full(size, fill_value, dtype=dtype, device=device)
def f(size: List[int], fill_value: float, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.full(size, fill_value, dtype=dtype, device=device)
## torch_eye
def f(n: int, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.eye(n, dtype=dtype, device=device)
def f(n: int, m: int, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.eye(n, m, dtype=dtype, device=device)
## torch_arange
def f(start: int, end: int, step: int = 1, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.arange(start, end + (1 if step > 0 else -1), step, dtype=torch.float32 if dtype is None else dtype, device=device)
def f(start: float, end: float, step: float = 1.0, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.arange(start, end + step * 1e-6, step, dtype=torch.float32 if dtype is None else dtype, device=device)
## torch_linspace
def f(start: float, end: float, steps: int = 100, dtype: Optional[int] = None, device: Optional[Device] = None) -> Tensor:
  return torch.linspace(start, end, steps, dtype=dtype, device=device)
## torch_zeros_like
def f(input: Tensor, dtype: Optional[int] = None) -> Tensor:
  return torch.zeros_like(input, dtype=dtype)
## torch_ones_like
def f(input: Tensor, dtype: Optional[int] = None) -> Tensor:
  return torch.ones_like(input, dtype=dtype)
## torch_rand_like
def f(input: Tensor, dtype: Optional[int] = None) -> Tensor:
  return torch.rand_like(input, dtype=dtype)
## torch_randn_like
def f(input: Tensor, dtype: Optional[int] = None) -> Tensor:
  return torch.randn_like(input, dtype=dtype)
## torch_empty_like
def f(input: Tensor, dtype: Optional[int] = None) -> Tensor:
  return torch.empty_like(input, dtype=dtype)
## torch_full_like
def f(input: Tensor, fill_value: float, dtype: Optional[int] = None) -> Tensor:
  return torch.full_like(input, fill_value, dtype=dtype)
## torch_randperm
def f(n: int) -> Tensor:
  return torch.randperm(n) + 1
## dim $shape
def f(x: Tensor) -> List[int]:
  return x.size()
## nrow
def f(x: Tensor) -> int:
  return x.size(0)
## ncol
def f(x: Tensor) -> int:
  return x.size(1)
## t
def f(x: Tensor) -> Tensor:
  return x.t()
## %*%
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.matmul(x, y)
## rowSums
def f(x: Tensor) -> Tensor:
  return x.flatten(1).sum(1)
def f(x: Tensor, *, dims: int) -> Tensor:
  if x.dim() <= dims or dims < 1:
    raise Exception("`rowSums()` takes a tensor of more dimensions than " + str(dims))
  return x.flatten(dims).sum(-1)
## rowMeans
def f(x: Tensor) -> Tensor:
  return as_real(x).flatten(1).mean(1)
def f(x: Tensor, *, dims: int) -> Tensor:
  if x.dim() <= dims or dims < 1:
    raise Exception("`rowMeans()` takes a tensor of more dimensions than " + str(dims))
  return as_real(x).flatten(dims).mean(-1)
## inner:columns_of
def f(x: Tensor) -> Tensor:
  if x.dim() < 2:
    raise Exception("`x` must have at least two dimensions. Use `sum(x)` or `mean(x)`.")
  return x
## colSums
def f(x: Tensor) -> Tensor:
  return columns_of(x).sum(0)
def f(x: Tensor, *, dims: int) -> Tensor:
  if x.dim() <= dims or dims < 1:
    raise Exception("`colSums()` takes a tensor of more dimensions than " + str(dims))
  return x.flatten(0, dims - 1).sum(0)
## colMeans
def f(x: Tensor) -> Tensor:
  return as_real(columns_of(x)).mean(0)
def f(x: Tensor, *, dims: int) -> Tensor:
  if x.dim() <= dims or dims < 1:
    raise Exception("`colMeans()` takes a tensor of more dimensions than " + str(dims))
  return as_real(x).flatten(0, dims - 1).mean(0)
## as.vector
def f(x: Tensor) -> List[float]:
  if x.dtype == torch.bool or x.is_complex():
    raise Exception("`as.vector()` gives numbers in a program, and this tensor holds none")
  order: List[int] = []
  for i in range(x.dim() - 1, -1, -1):
    order.append(i)
  out: List[float] = x.permute(order).flatten().to(torch.float64).tolist()
  return out
def f(x: List[T]) -> List[T]:
  return x
## $dtype
def f(x: Tensor) -> int:
  return x.dtype
## $device
def f(x: Tensor) -> Device:
  return x.device
## $ndim $dim
def f(x: Tensor) -> int:
  return x.dim()
## $type
def f(x: Device) -> str:
  return x.type
## $index
def f(x: Device) -> Optional[int]:
  return x.index
## $layout
def f(x: Tensor) -> int:
  return x.layout
## $is_leaf
def f(x: Tensor) -> bool:
  return x.is_leaf
## $is_sparse
def f(x: Tensor) -> bool:
  return x.is_sparse
## $is_quantized
def f(x: Tensor) -> bool:
  return x.is_quantized
## $element_size
def f(x: Tensor) -> int:
  return x.element_size()
## $requires_grad
def f(x: Tensor) -> bool:
  return x.requires_grad
## $is_cuda
def f(x: Tensor) -> bool:
  return x.is_cuda
## $grad
def f(x: Tensor) -> Optional[Tensor]:
  return x.grad
## $real
def f(x: Tensor) -> Tensor:
  return torch.real(x)
## $imag
def f(x: Tensor) -> Tensor:
  return torch.imag(x)
## $size
def f(x: Tensor) -> List[int]:
  return x.size()
def f(x: Tensor, dim: int) -> int:
  return x.size(position(dim))
## $stride
def f(x: Tensor, dim: int) -> int:
  return x.stride(position(dim))
## $numel $length
def f(x: Tensor) -> int:
  return x.numel()
## $item
def f(x: Tensor) -> float:
  return float(x)
## $is_floating_point
def f(x: Tensor) -> bool:
  return x.is_floating_point()
## $is_complex
def f(x: Tensor) -> bool:
  return x.is_complex()
## $is_contiguous
def f(x: Tensor) -> bool:
  return x.is_contiguous()
## $cpu
def f(x: Tensor) -> Tensor:
  return x.cpu()
## $cuda
def f(x: Tensor) -> Tensor:
  return x.cuda()
## $to
def f(x: Tensor, dtype: int) -> Tensor:
  return x.to(dtype)
def f(x: Tensor, device: Device) -> Tensor:
  return x.to(device)
def f(x: Tensor, dtype: int, device: Device) -> Tensor:
  return x.to(device, dtype)
def f(x: Tensor, other: Tensor) -> Tensor:
  return x.to(other)
## $float
def f(x: Tensor) -> Tensor:
  return x.to(torch.float32)
## $double
def f(x: Tensor) -> Tensor:
  return x.to(torch.float64)
## $half
def f(x: Tensor) -> Tensor:
  return x.to(torch.float16)
## $bool
def f(x: Tensor) -> Tensor:
  return x.to(torch.bool)
## $int
def f(x: Tensor) -> Tensor:
  return x.to(torch.int32)
## $long
def f(x: Tensor) -> Tensor:
  return x.to(torch.int64)
## $clone
def f(x: Tensor) -> Tensor:
  return x.clone()
## $detach
def f(x: Tensor) -> Tensor:
  return x.detach()
## $requires_grad_
def f(x: Tensor, requires_grad: bool = True) -> Tensor:
  return x.requires_grad_(requires_grad)
## $narrow
def f(x: Tensor, dim: int, start: int, length: int) -> Tensor:
  return torch.narrow(x, position(dim), position(start), length)
## as_real inner:as_real
def f(x: Tensor) -> Tensor:
  return x if x.is_floating_point() or x.is_complex() else x.to(torch.float32)
## as_floating
def f(x: Tensor) -> Tensor:
  return x if x.dtype == torch.float64 else x.to(torch.float32)
## refuse_na_rm
def f(na_rm: bool) -> bool:
  if na_rm:
    raise Exception("`na.rm` must be FALSE: tensors have NaN, but no NA.")
  return na_rm
## torch_norm $norm
def f(self: Tensor) -> Tensor:
  return torch.norm(self)
def f(self: Tensor, p: float) -> Tensor:
  return torch.norm(self, p)
def f(self: Tensor, p: float = 2.0, *, dim: List[int], keepdim: bool = False) -> Tensor:
  return torch.norm(self, p, all_positions(dim), keepdim)
def f(self: Tensor, p: str) -> Tensor:
  if p == "nuc":
    return torch.ops.aten.linalg_matrix_norm(self, "nuc")
  if p != "fro":
    raise Exception("`p` must be a number, \"fro\" or \"nuc\"")
  return torch.norm(self)
## autograd_grad
def f(outputs: List[Tensor], inputs: List[Tensor], grad_outputs: Optional[List[Optional[Tensor]]] = None, retain_graph: bool = False, create_graph: bool = False, allow_unused: bool = False) -> List[Tensor]:
  found = torch.autograd.grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)
  out: List[Tensor] = []
  for i in range(len(found)):
    one = found[i]
    if one is None:
      one = torch.zeros_like(inputs[i])
    out.append(one)
  return out
)";

}  // namespace shim::script
