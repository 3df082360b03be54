// Replaces operators of TorchScript's own that never end for some arguments, that fill all memory, or that read memory
// which is not theirs.
#include "guard/builtins.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <stdexcept>

#include "core/stop.h"
#include "guard/operators.h"

namespace shim {
namespace {

using c10::IValue;
using torch::jit::Operation;
using torch::jit::pop;
using torch::jit::Stack;

// Fails if a tensor of that size could not be allocated. For strings and lists the system promises more memory than it
// has, and ends the process when they are filled.
void require_memory(int64_t n, size_t bytes) {
  if (n <= 0 || bytes == 0) return;
  constexpr auto most = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  const uint64_t all = static_cast<uint64_t>(n) > most / bytes ? most : static_cast<uint64_t>(n) * bytes;
  if (all > (size_t{1} << 20)) c10::GetCPUAllocator()->allocate(all);
}

// --- strings ---------------------------------------------------------------------------------------------------------

// Where the empty string occurs in a text, as Python counts it: before each character and at the end.
std::vector<size_t> characters(const std::string& text) {
  std::vector<size_t> starts;
  for (size_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts.push_back(i);
  starts.push_back(text.size());
  return starts;
}

// count(str self, str substr, int start=0, int end=-1), where `substr` is empty
void count_nothing(Stack& stack) {
  int64_t end = pop(stack).toInt(), start = pop(stack).toInt();
  pop(stack);
  const auto size = static_cast<int64_t>(characters(pop(stack).toStringRef()).size()) - 1;
  if (start < 0) start = std::max<int64_t>(0, start + size);
  end = end < 0 ? end + size + 1 : std::min(end, size);
  stack.emplace_back(std::max<int64_t>(0, end - start + 1));
}

// replace(str self, str old, str new, int max=-1), where `old` is empty
void replace_nothing(Stack& stack) {
  const int64_t most = pop(stack).toInt();
  const std::string by = pop(stack).toStringRef();
  pop(stack);
  const std::string text = pop(stack).toStringRef();
  const auto starts = characters(text);
  const auto n = most < 0 ? starts.size() : std::min(starts.size(), static_cast<size_t>(most));
  require_memory(static_cast<int64_t>(n), by.size() + 1);
  std::string out;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (i < n) out += by;
    if (i + 1 < starts.size()) out.append(text, starts[i], starts[i + 1] - starts[i]);
  }
  stack.emplace_back(std::move(out));
}

// Pushes a text with copies of a character on both sides of it.
void push_padded(Stack& stack, const std::string& text, int64_t left, int64_t right, char with) {
  require_memory(left, 1);
  require_memory(right, 1);
  std::string out;
  out.reserve(text.size() + static_cast<size_t>(left + right));
  out.append(static_cast<size_t>(left), with).append(text).append(static_cast<size_t>(right), with);
  stack.emplace_back(std::move(out));
}

// center(str self, int width, str fillchar=" "), ljust and rjust. `left` tells how much of the padding comes before the
// text; odd padding is divided as in Python.
using Left = int64_t (*)(int64_t padding, int64_t width);
template <Left left>
void pad(Stack& stack) {
  const std::string with = pop(stack).toStringRef();
  const int64_t width = pop(stack).toInt();
  const std::string text = pop(stack).toStringRef();
  TORCH_CHECK(with.size() == 1, "what fills a string must be one character");
  const int64_t padding = std::max<int64_t>(0, width - static_cast<int64_t>(text.size()));
  push_padded(stack, text, left(padding, width), padding - left(padding, width), with[0]);
}

int64_t left_of_center(int64_t padding, int64_t width) { return padding / 2 + (padding & width & 1); }
int64_t nothing_left(int64_t, int64_t) { return 0; }
int64_t all_left(int64_t padding, int64_t) { return padding; }

// zfill(str self, int width). As in TorchScript, zeros come before a sign too.
void fill_with_zeros(Stack& stack) {
  const int64_t width = pop(stack).toInt();
  const std::string text = pop(stack).toStringRef();
  push_padded(stack, text, std::max<int64_t>(0, width - static_cast<int64_t>(text.size())), 0, '0');
}

// expandtabs(str self, int tabsize=8): a tab fills up to the next column that is a multiple of the size.
void expand_tabs(Stack& stack) {
  const int64_t size = std::max<int64_t>(0, pop(stack).toInt());
  const std::string text = pop(stack).toStringRef();
  require_memory(size, static_cast<size_t>(std::count(text.begin(), text.end(), '\t')));
  std::string out;
  for (const char c : text) {
    if (c != '\t')
      out += c;
    else if (size > 0)
      out.append(static_cast<size_t>(size) - out.size() % static_cast<size_t>(size), ' ');
  }
  stack.emplace_back(std::move(out));
}

// rsplit(str self, str separator=" ", int max=-1), where the separator is empty
void no_separator(Stack&) { TORCH_CHECK(false, "empty separator"); }

Operation instead_where_empty(const torch::jit::Operator& op, size_t argument, void (*instead)(Stack&)) {
  const size_t from_end = op.schema().arguments().size() - argument;
  return [from_end, instead, run = op.getOperation()](Stack& stack) mutable {
    if (stack[stack.size() - from_end].toStringRef().empty()) return instead(stack);
    run(stack);
  };
}

// What the C++ library throws for a wrong argument is a bare word, the name of its own function ("stoll").
std::string quoted(const IValue& text) { return "'" + text.toStringRef() + "'"; }

// int(str a) and float(str a). `no_number` is the message for what is none; `too_large` gives the number that the
// library can't, or fails.
using OfText = IValue (*)(const IValue& text, const char* no_number);
Operation number_of_text(const torch::jit::Operator& op, const char* no_number, OfText too_large) {
  return [no_number, too_large, run = op.getOperation()](Stack& stack) mutable {
    const IValue text = stack.back();
    try {
      run(stack);
    } catch (const std::invalid_argument&) {
      TORCH_CHECK(false, no_number, quoted(text));
    } catch (const std::out_of_range&) {
      stack.push_back(too_large(text, no_number));
    }
  };
}

IValue no_whole_number(const IValue& text, const char*) {
  TORCH_CHECK(false, "the number ", quoted(text), " does not fit into 64 bits");
}

// What is too large or too small for a float is infinite or nearly 0, as in Python.
IValue rounded(const IValue& text, const char* no_number) {
  char* end;
  const double value = std::strtod(text.toStringRef().c_str(), &end);
  TORCH_CHECK(*end == 0, no_number, quoted(text));
  return value;
}

// __getitem__(str s, int index)
void look_at_position(Stack& stack) {
  const int64_t index = stack.back().toInt();
  const auto size = static_cast<int64_t>(stack[stack.size() - 2].toStringRef().size());
  TORCH_CHECK(index >= -size && index < size, "string index out of range");
}

// find(str self, str substr, int start=0, int end=-1) and its like, where `start` lies behind the end: nothing is found.
Operation found_nowhere(const torch::jit::Operator& op, const IValue& nothing) {
  return [nothing, run = op.getOperation()](Stack& stack) mutable {
    const IValue* first = &stack[stack.size() - 4];
    if (first[2].toInt() <= static_cast<int64_t>(first[0].toStringRef().size())) return run(stack);
    TORCH_CHECK(!nothing.isNone(), "substring not found");
    torch::jit::drop(stack, 4);
    stack.push_back(nothing);
  };
}

// --- lists -----------------------------------------------------------------------------------------------------------

// Appends the items of a list to `out`, n times.
void repeat(c10::impl::GenericList& list, int64_t n, c10::impl::GenericList& out) {
  const size_t size = list.size();
  if (n <= 0 || size == 0) return;
  require_memory(n, size * sizeof(IValue));
  out.reserve(size * static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    look_for_stop();
    for (size_t j = 0; j < size; ++j) out.push_back(list.get(j));
  }
}

void multiply(Stack& stack, bool list_first) {
  IValue second = pop(stack), first = pop(stack);
  auto list = (list_first ? first : second).toList();
  c10::impl::GenericList out(list.elementType());
  repeat(list, (list_first ? second : first).toInt(), out);
  stack.emplace_back(std::move(out));
}

void multiply_in_place(Stack& stack) {
  const int64_t n = pop(stack).toInt();
  auto list = pop(stack).toList();
  auto once = list.copy();
  list.clear();
  repeat(once, n, list);
  stack.emplace_back(std::move(list));
}

// Sorts by merging: unlike std::sort() it ends, and stays inside of the list, whatever the comparison says. It may be a
// user's `__lt__`.
void sort(std::vector<IValue>& values, std::vector<IValue>& space, size_t from, size_t to, const c10::IValueComparator& before) {
  if (to - from < 2) return;
  const size_t middle = from + (to - from) / 2;
  sort(values, space, from, middle, before);
  sort(values, space, middle, to, before);
  look_for_stop();
  for (size_t i = from, j = middle, k = from; k < to; ++k) {
    const bool second = i == middle || (j < to && before(values[j], values[i]));
    space[k] = std::move(values[second ? j++ : i++]);
  }
  std::move(space.begin() + static_cast<ptrdiff_t>(from), space.begin() + static_cast<ptrdiff_t>(to),
            values.begin() + static_cast<ptrdiff_t>(from));
}

// sort(t[] self, bool reverse=False) of instances and tuples, in place, and sorted(t[] self), which makes a new list.
Operation sorted(const torch::jit::Operator& op) {
  const bool in_place = op.schema().returns().empty();
  return [in_place, run = op.getOperation()](Stack& stack) mutable {
    auto list = stack[stack.size() - (in_place ? 2 : 1)].toList();
    // LibTorch's own operator runs on the first item alone: it checks that such items can be compared.
    auto first = list.copy();
    first.resize(std::min<size_t>(first.size(), 1), {});
    Stack one{first};
    if (in_place) one.push_back(stack.back());
    run(one);
    const bool reverse = in_place && torch::jit::pop(stack).toBool();
    stack.pop_back();
    std::vector<IValue> values;
    for (size_t i = 0; i < list.size(); ++i) values.push_back(list.get(i));
    if (!values.empty()) {
      std::vector<IValue> space(values.size());
      const auto before = reverse ? c10::getGreaterThanComparator(values[0]) : c10::getLessThanComparator(values[0]);
      sort(values, space, 0, values.size(), before);
    }
    // The list is filled anew, since a comparison may have changed it.
    auto out = in_place ? list : list.copy();
    out.clear();
    for (auto& value : values) out.push_back(std::move(value));
    if (!in_place) stack.emplace_back(std::move(out));
  };
}

// --- tensors ---------------------------------------------------------------------------------------------------------

// to() with `copy` but without device and dtype: LibTorch would read the dtype that is not given.
Operation copied(const torch::jit::Operator& op) {
  const auto& schema = op.schema();
  const size_t n = schema.arguments().size();
  const auto device = schema.argumentIndexWithName("device"), dtype = schema.argumentIndexWithName("dtype");
  return [n, device, dtype, run = op.getOperation()](Stack& stack) mutable {
    const IValue* first = &stack[stack.size() - n];
    const auto is_given = [&](const auto& place) { return place && !first[*place].isNone(); };
    if (is_given(device) || is_given(dtype) || !stack.back().toBool()) return run(stack);
    const at::Tensor self = first->toTensor();
    const bool later = first[n - 2].toBool();
    torch::jit::drop(stack, n);
    stack.emplace_back(self.to(self.scalar_type(), later, /*copy=*/true));
  };
}

// --- all -------------------------------------------------------------------------------------------------------------

// The operator with a check of its arguments before it.
Operation after(const torch::jit::Operator& op, void (*look)(Stack&)) {
  return [look, run = op.getOperation()](Stack& stack) mutable {
    look(stack);
    run(stack);
  };
}

int64_t int_at(const Stack& stack, size_t from_end) { return stack[stack.size() - from_end].toInt(); }

}  // namespace

void guard_builtins() {
  const auto replace = [](const char* name, const Replacement& replacement) {
    replace_operator(c10::Symbol::fromQualString(name), replacement);
  };
  const auto is_text = [](const torch::jit::Operator& op) {
    const auto& arguments = op.schema().arguments();
    return !arguments.empty() && arguments[0].type()->kind() == c10::TypeKind::StringType;
  };
  const auto is_list = [](const torch::jit::Operator& op, size_t i) {
    return op.schema().arguments()[i].type()->kind() == c10::TypeKind::ListType;
  };
  replace("aten::count", [&](const auto& op) { return is_text(op) ? instead_where_empty(op, 1, count_nothing) : nullptr; });
  replace("aten::replace", [&](const auto& op) { return instead_where_empty(op, 1, replace_nothing); });
  replace("aten::rsplit", [](const auto& op) { return instead_where_empty(op, 1, no_separator); });
  const auto of_text = [&](const char* name, auto&& made) {
    replace(name, [&](const auto& op) -> Operation { return is_text(op) ? made(op) : nullptr; });
  };
  of_text("aten::Int", [](const auto& op) {
    return number_of_text(op, "invalid literal for int() with base 10: ", no_whole_number);
  });
  of_text("aten::Float", [](const auto& op) {
    return number_of_text(op, "could not convert string to float: ", rounded);
  });
  of_text("aten::__getitem__", [](const auto& op) { return after(op, look_at_position); });
  for (const char* name : {"aten::find", "aten::rfind"})
    of_text(name, [](const auto& op) { return found_nowhere(op, int64_t{-1}); });
  for (const char* name : {"aten::index", "aten::rindex"})
    of_text(name, [](const auto& op) { return found_nowhere(op, {}); });
  for (const char* name : {"aten::startswith", "aten::endswith"})
    of_text(name, [](const auto& op) { return found_nowhere(op, false); });
  const auto become = [&](const char* name, void (*instead)(Stack&)) {
    replace(name, [instead](const auto&) { return Operation(instead); });
  };
  become("aten::center", pad<left_of_center>);
  become("aten::ljust", pad<nothing_left>);
  become("aten::rjust", pad<all_left>);
  become("aten::zfill", fill_with_zeros);
  become("aten::expandtabs", expand_tabs);
  replace("aten::factorial", [](const auto& op) {
    return after(op, [](Stack& stack) {
      const int64_t n = int_at(stack, 1);
      TORCH_CHECK(n <= 20, "the factorial of ", n, " is greater than any int");
    });
  });
  replace("prim::rangelist", [](const auto& op) {
    return after(op, [](Stack& stack) { require_memory(int_at(stack, 1), sizeof(IValue)); });
  });
  for (const char* name : {"aten::sort", "aten::sorted"})
    replace(name, [](const auto& op) -> Operation { return op.schema().overload_name() == "any" ? sorted(op) : nullptr; });
  // to(Tensor self, Device? device, int? dtype=None, bool non_blocking=False, bool copy=False), and the overloads
  // without `device` and `dtype`
  replace("aten::to", [](const auto& op) -> Operation { return op.isC10Op() ? nullptr : copied(op); });
  replace("aten::mul", [&](const auto& op) -> Operation {
    if (op.isC10Op()) return nullptr;
    if (is_list(op, 0)) return [](Stack& stack) { multiply(stack, true); };
    if (is_list(op, 1)) return [](Stack& stack) { multiply(stack, false); };
    return nullptr;
  });
  replace("aten::mul_", [&](const auto& op) -> Operation {
    if (op.isC10Op() || !is_list(op, 0)) return nullptr;
    return multiply_in_place;
  });
}

}  // namespace shim
