// Operators that are no single formula: reductions, those that are made of several formulas, and views that only change a shape.
#include <ATen/Functions.h>
#include <numeric>

#include "fuse/fused.h"
#include "fuse/translator.h"

namespace shim::fuse {

using torch::jit::Node;

namespace {

// The number of dimensions of a value, if the graph tells it, else -1.
int64_t rank_of(const torch::jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto rank = type ? type->dim() : c10::nullopt;
  return rank ? static_cast<int64_t>(*rank) : -1;
}

std::vector<int64_t> dimensions(const c10::IValue& dims) {
  if (dims.isNone()) return {};
  return dims.isInt() ? std::vector<int64_t>{dims.toInt()} : dims.toIntVector();
}

enum class Over { all, last, leading, others };
Over over(const std::vector<int64_t>& dims, int64_t rank) {
  std::set<int64_t> set;
  for (const int64_t dim : dims) set.insert(dim < 0 ? dim + rank : dim);
  if (set.empty() || static_cast<int64_t>(set.size()) == rank) return Over::all;
  if (set.size() == 1 && *set.begin() == rank - 1) return Over::last;
  return static_cast<int64_t>(set.size()) == rank - 1 && *set.rbegin() == rank - 2 ? Over::leading : Over::others;
}

bool is_along_rows(const c10::IValue& dim, int64_t rank) {
  if (rank == 0) return false;
  const Over which = over(dimensions(dim), rank);
  return which == Over::last || which == Over::all;
}

// Checks a node before there are sizes. What is found now keeps the node out of a group, and does not stop the whole group later.
Over reduced_over(const Node& node) {
  const int64_t rank = rank_of(node.input(0));
  if (rank < 0 || node.inputs().size() < 2) return Over::last;
  const auto dims = torch::jit::toIValue(node.input(1));
  // The overloads of these two without dimensions have the dtype where the others have the dimensions.
  const bool whole = (node.kind() == c10::aten::sum || node.kind() == c10::aten::mean) && node.inputs().size() != 4;
  return whole ? Over::all : dims ? over(dimensions(*dims), rank) : Over::last;
}
bool reduces_well(const Node& node) { return reduced_over(node) != Over::others; }
bool reduces_rows(const Node& node) { return reduces_well(node) && reduced_over(node) != Over::leading; }
bool is_softmax_of_rows(const Node& node) {
  const int64_t rank = rank_of(node.input(0));
  const auto dim = torch::jit::toIValue(node.input(1));
  return rank < 0 || !dim || !dim->isInt() || over({dim->toInt()}, rank) == Over::last || (rank == 1 && dim->toInt() == 0);
}
bool always(const Node&) { return true; }
bool is_one(const torch::jit::Value* value) {
  const auto constant = torch::jit::toIValue(value);
  return constant && constant->isScalar() && constant->toScalar().equal(1);
}
bool adds_as_it_is(const Node& node) { return is_one(node.input(3)) && is_one(node.input(4)); }
bool multiplies_matrices(const Node& node) {
  const int64_t of_a = rank_of(node.input(0)), of_b = rank_of(node.input(1));
  return of_b == 2 ? of_a > 0 : of_a > 1 && of_b > 1;
}
bool is_packed_in_order(const Node& node) {
  const auto format = torch::jit::toIValue(node.input(1));
  return format && (format->isNone() || (format->isInt() && format->toMemoryFormat() == at::MemoryFormat::Contiguous));
}
bool adds(const Node& node) { return node.kind() == c10::aten::addmm || node.kind() == c10::aten::baddbmm; }
bool multiplies(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && composite->product;
}
// Whether all that read a value multiply it as a matrix.
bool is_multiplied(const torch::jit::Value* value) {
  for (const auto& use : value->uses()) {
    if (use.user->kind() == fused()) {
      if (!is_multiplied(use.user->g(c10::attr::Subgraph)->inputs()[use.offset])) return false;
    } else if (!multiplies(*use.user) || (use.user->kind() == c10::aten::linear ? use.offset == 2 : adds(*use.user) && use.offset == 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool sums_columns(const Node& node) {
  return (node.kind() == c10::aten::sum || node.kind() == c10::aten::mean) && reduced_over(node) == Over::leading;
}

const Composite* composite_of(c10::Symbol op) {
  using T = Translator;
  constexpr bool worth = true, inside = true, product = true, reshapes = true;
  static const auto& table = *new std::unordered_map<std::string, Composite>{
      {"sum", {&T::sum, reduces_well}},
      {"mean", {&T::sum, reduces_well}},
      {"amax", {&T::extreme, reduces_rows}},
      {"amin", {&T::extreme, reduces_rows}},
      {"softmax", {&T::softmax, is_softmax_of_rows}},
      {"log_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_log_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_softmax_backward_data", {&T::softmax_backward, always}},
      {"_log_softmax_backward_data", {&T::softmax_backward, always}},
      {"layer_norm", {&T::norm, always, 1, worth}},
      {"rms_norm", {&T::norm, always, 1, worth}},
      {"mse_loss", {&T::mse_loss, always}},
      {"mse_loss_backward", {&T::mse_loss_backward, always}},
      {"l1_loss", {&T::l1_loss, always}},
      {"huber_loss", {&T::huber_loss, always}},
      {"smooth_l1_loss", {&T::smooth_l1_loss, always}},
      {"binary_cross_entropy_with_logits", {&T::logits_loss, always}},
      {"linear", {&T::linear, always, 0, !worth, !inside, product}},
      {"addmm", {&T::addmm, adds_as_it_is, 0, !worth, !inside, product}},
      {"baddbmm", {&T::addmm, adds_as_it_is, 0, !worth, !inside, product}},
      {"mm", {&T::mm, always, 0, !worth, !inside, product}},
      {"bmm", {&T::mm, always, 0, !worth, !inside, product}},
      {"matmul", {&T::mm, multiplies_matrices, 0, !worth, !inside, product}},
      {"expand", {&T::expand, always, 1, !worth, inside}},
      {"expand_as", {&T::expand, always, 0, !worth, inside}},
      {"t", {&T::permute, always, 0, !worth, inside}},
      {"transpose", {&T::permute, always, 0, !worth, inside}},
      {"permute", {&T::permute, always, 0, !worth, inside}},
      {"view", {&T::reshape, always, 1, !worth, inside, !product, reshapes}},
      {"reshape", {&T::reshape, always, 1, !worth, inside, !product, reshapes}},
      {"flatten", {&T::reshape, always, 0, !worth, inside, !product, reshapes}},
      {"unflatten", {&T::reshape, always, 0, !worth, inside, !product, reshapes}},
      {"unsqueeze", {&T::reshape, always, 0, !worth, inside}},
      {"squeeze", {&T::reshape, always, 0, !worth, inside}},
      {"contiguous", {&T::pack, is_packed_in_order, 0, !worth, inside}},
  };
  if (!op.is_aten()) return nullptr;
  const auto found = table.find(op.toUnqualString());
  return found == table.end() ? nullptr : &found->second;
}

// --- reductions -------------------------------------------------------------------------------------------------------

Id Translator::cast(Id id, at::ScalarType dtype) { return b_.at(id).dtype == dtype ? id : b_.formula(same(), {id}, dtype, dtype); }

Id Translator::formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type) {
  // Texts live as long as the program: they are constants of this file.
  return b_.formula(Formula{text, std::move(derivatives)}, std::move(args), type, type);
}

Id Translator::reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean) {
  const Over which = over(dimensions(dims), static_cast<int64_t>(b_.at(a).shape.size()));
  if (which == Over::leading && reduction == Reduction::sum) {
    const Sizes shape = b_.at(a).shape;
    Sizes to(keep ? shape.size() - 1 : 0, 1);
    to.push_back(shape.back());
    const Id sums = b_.columns(a, to);
    if (!mean) return sums;
    return formula("a * b", {"g * b"}, {sums, b_.inverse_count(Sizes(shape.begin(), shape.end() - 1), dtype)}, dtype);
  }
  if (which == Over::leading || which == Over::others) throw Unfusable{"it reduces other dimensions than the last"};
  const bool whole = which == Over::all;
  Id id = b_.reduce(reduction, a, whole, dtype);
  if (mean && whole) b_.mean_of_whole(id);
  if (mean && !whole && !b_.is_single(a)) id = formula("a / b", {"g / b"}, {id, b_.row_count(dtype)}, dtype);
  if (!whole && !keep) {
    // It may only be a result: a formula that read it would see one dimension more.
    const Id open = id;
    id = b_.formula(same(), {id}, dtype, dtype);
    b_.close(id);
    open_[id] = open;
  }
  return id;
}

Id Translator::sum(Node* node, const at::Tensor& out) {
  const bool has_dims = node->inputs().size() == 4, mean = node->kind() == c10::aten::mean;
  if (mean) expect_floating(out);
  return reduced(Reduction::sum, cast(arg(node, 0), out.scalar_type()), has_dims ? constant(node, 1) : c10::IValue(),
                 has_dims && constant(node, 2).toBool(), out.scalar_type(), mean);
}

Id Translator::extreme(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const bool most = std::string(node->kind().toUnqualString()) == "amax";
  return reduced(most ? Reduction::max : Reduction::min, arg(node, 0), constant(node, 1), constant(node, 2).toBool(),
                 out.scalar_type(), false);
}

// --- along rows -------------------------------------------------------------------------------------------------------

Id Translator::softmax(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  if (!is_along_rows(constant(node, 1), out.dim()))
    throw Unfusable{"it reduces other dimensions than the last"};
  const Id x = cast(arg(node, 0), dtype), most = b_.reduce(Reduction::max, x, false, dtype);
  const Id away = formula("a - b", {}, {x, most}, dtype), e = formula("exp_below$(a)", {}, {away}, dtype);
  const Id sum = b_.reduce(Reduction::sum, e, false, dtype);
  const bool log = std::string(node->kind().toUnqualString()).find("log") != std::string::npos;
  const Id result = log ? formula("a - b", {}, {away, formula("log$(a)", {}, {sum}, dtype)}, dtype)
                        : formula("a * b", {}, {e, formula("1 / a", {}, {sum}, dtype)}, dtype);
  softmaxes[result] = {x, log};
  return result;
}

// grad_output, output, dim, input_dtype
Id Translator::softmax_backward(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  if (!is_along_rows(constant(node, 2), out.dim()))
    throw Unfusable{"it reduces other dimensions than the last"};
  const Id g = cast(arg(node, 0), dtype), r = cast(arg(node, 1), dtype);
  if (std::string(node->kind().toUnqualString()) == "_log_softmax_backward_data")
    return formula("a - exp$(b) * c", {}, {g, r, b_.reduce(Reduction::sum, b_.full(g), false, dtype)}, dtype);
  const Id sum = b_.reduce(Reduction::sum, formula("a * b", {}, {g, r}, dtype), false, dtype);
  return formula("a * (b - c)", {}, {r, g, sum}, dtype);
}

Id Translator::norm(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  const Id a = arg(node, 0);
  const std::vector<int64_t> sizes = constant(node, 1).toIntVector();
  if (sizes.size() != 1) throw Unfusable{"it goes over other sizes"};
  if (b_.is_single(a)) throw Unfusable{"it goes over one element"};
  const Id x = cast(a, dtype), n = b_.row_count(dtype);
  const bool layer = node->kind() == c10::aten::layer_norm;
  Id centred = x;
  if (layer) {
    const Id mean = formula("a / b", {"g / b"}, {b_.reduce(Reduction::sum, x, false, dtype), n}, dtype);
    centred = formula("a - b", {"g", "-g"}, {x, mean}, dtype);
  }
  const Id squares = formula("a * a", {"g * (a + a)"}, {centred}, dtype);
  const Id variance = formula("a / b", {"g / b"}, {b_.reduce(Reduction::sum, squares, false, dtype), n}, dtype);
  const Id eps = arg(node, layer ? 4 : 3);
  if (eps < 0) throw Unfusable{"its epsilon depends on the dtype"};
  const Id scale = formula("1 / sqrt$(a + b)", {"K(-0.5) * g * (r * r * r)"}, {variance, eps}, dtype);
  Id result = formula("a * b", {"g * b", "g * a"}, {centred, scale}, dtype);
  const Id weight = arg(node, 2), bias = layer ? arg(node, 3) : -1;
  if (weight >= 0) result = formula("a * b", {"g * b", "g * a"}, {result, weight}, dtype);
  if (bias >= 0) result = formula("a + b", {"g", "g"}, {result, bias}, dtype);
  return checked(result, out);
}

// --- losses -----------------------------------------------------------------------------------------------------------

Id Translator::loss(Node* node, const at::Tensor& out, const char* text, std::vector<const char*> derivatives, size_t beta,
                    size_t reduction_at) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  std::vector<Id> args{arg(node, 0), arg(node, 1)};
  if (beta > 0) args.push_back(arg(node, beta));
  const Id each = formula(text, std::move(derivatives), std::move(args), dtype);
  const int64_t reduction = constant(node, reduction_at).toInt();
  if (reduction == 0) return each;
  const Id sum = b_.reduce(Reduction::sum, each, true, dtype);
  return reduction == 1 ? b_.mean_of_whole(sum) : sum;
}

Id Translator::mse_loss(Node* node, const at::Tensor& out) {
  return loss(node, out, "(a - b) * (a - b)", {"g * 2 * (a - b)", "g * -2 * (a - b)"}, 0, 2);
}

// grad_output, self, target, reduction
Id Translator::mse_loss_backward(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  const std::vector<Id> args{arg(node, 0), arg(node, 1), arg(node, 2)};
  const Id slope = formula("a * 2 * (b - c)", {}, args, dtype);
  if (constant(node, 3).toInt() != 1) return slope;
  return formula("a * b", {}, {slope, b_.inverse_count(b_.at(args[1]).shape, dtype)}, dtype);
}

Id Translator::l1_loss(Node* node, const at::Tensor& out) {
  return loss(node, out, "fabs$(a - b)", {"a > b ? g : a < b ? -g : 0 * g", "a > b ? -g : a < b ? g : 0 * g"}, 0, 2);
}

Id Translator::smooth_l1_loss(Node* node, const at::Tensor& out) {
  if (!constant(node, 3).isDouble() || constant(node, 3).toDouble() <= 0) throw Unfusable{"it has no smooth part"};
  return loss(node, out, "x = fabs$(a - b); x < c ? K(0.5) * x * x / c : x - K(0.5) * c",
              {"x = a - b; x <= -c ? -g : x >= c ? g : g * x / c", "x = b - a; x <= -c ? -g : x >= c ? g : g * x / c"}, 3, 2);
}

Id Translator::huber_loss(Node* node, const at::Tensor& out) {
  return loss(node, out, "x = fabs$(a - b); x <= c ? K(0.5) * x * x : c * (x - K(0.5) * c)",
              {"x = a - b; g * (x < -c ? -c : x > c ? c : x)", "x = b - a; g * (x < -c ? -c : x > c ? c : x)"}, 3, 2);
}

Id Translator::logits_loss(Node* node, const at::Tensor& out) {
  if (!constant(node, 2).isNone() || !constant(node, 3).isNone()) throw Unfusable{"its weights"};
  return loss(node, out, "(1 - b) * a + ((a > 0 ? 0 : -a) + log1p$(exp$(-fabs$(a))))", {"g * (sigmoid$(a) - b)", "-(g * a)"},
              0, 4);
}

// --- products ---------------------------------------------------------------------------------------------------------

Translator::Matrix Translator::matrix(const Node* node, size_t i) const {
  const auto turned = turned_.find(node->input(i));
  const Matrix it = turned == turned_.end() ? Matrix{arg(node, i), false} : Matrix{turned->second, true};
  if (it.id < 0) throw Unfusable{"an argument that it needs is missing"};
  return it;
}

Id Translator::product(Matrix a, Matrix b, const at::Tensor& out) {
  expect_floating(out);
  const Sizes &of_a = b_.at(a.id).shape, &of_b = b_.at(b.id).shape;
  const bool batched = of_b.size() > 2 || (a.turned && of_a.size() > 2);
  return b_.product(a.id, a.turned, b.id, b.turned, out.sizes().vec(), batched);
}

Id Translator::linear(Node* node, const at::Tensor& out) {
  if (probed(node->input(1)).dim() != 2) throw Unfusable{"its weight is no matrix"};
  Matrix weight = matrix(node, 1);
  weight.turned = !weight.turned;
  const Id x = product(matrix(node, 0), weight, out), bias = arg(node, 2);
  return bias < 0 ? x : checked(formula("a + b", {"g", "g"}, {x, bias}, out.scalar_type()), out);
}

Id Translator::mm(Node* node, const at::Tensor& out) {
  if (probed(node->input(1)).dim() < 2) throw Unfusable{"its second argument is no matrix"};
  return product(matrix(node, 0), matrix(node, 1), out);
}

Id Translator::addmm(Node* node, const at::Tensor& out) {
  const Id x = product(matrix(node, 1), matrix(node, 2), out);
  return checked(formula("a + b", {"g", "g"}, {arg(node, 0), x}, out.scalar_type()), out);
}

// --- views ------------------------------------------------------------------------------------------------------------

Id Translator::expand(Node* node, const at::Tensor& out) { return b_.expanded(arg(node, 0), out.sizes().vec()); }

Id Translator::pack(Node* node, const at::Tensor& out) { return b_.view(needed(node), {}, out.sizes().vec(), true); }

// Where only products read a matrix, these exchange its dimensions.
Id Translator::permute(Node* node, const at::Tensor& out) {
  const int64_t rank = out.dim();
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  const auto place = [&](const c10::IValue& dim) { return static_cast<size_t>(dim.toInt() < 0 ? dim.toInt() + rank : dim.toInt()); };
  if (constant(node, 1).isIntList()) {
    const auto dims = constant(node, 1).toIntVector();
    for (size_t d = 0; d < dims.size(); ++d) order[d] = dims[d] < 0 ? dims[d] + rank : dims[d];
  } else if (node->inputs().size() == 3) {
    std::swap(order[place(constant(node, 1))], order[place(constant(node, 2))]);
  } else if (rank == 2) {
    std::swap(order[0], order[1]);
  }
  std::vector<int64_t> same(order.size());
  std::iota(same.begin(), same.end(), 0);
  if (order == same) return arg(node, 0);
  std::swap(same[same.size() - 1], same[same.size() - 2]);
  if (order == same && is_multiplied(node->output())) {
    const auto twice = turned_.find(node->input(0));
    if (twice != turned_.end()) return twice->second;
    turned_[node->output()] = arg(node, 0);
    return -1;
  }
  return b_.view(needed(node), std::move(order), out.sizes().vec());
}

Id Translator::reshape(Node* node, const at::Tensor& out) {
  // A dimension of size 1 at the end of what was reduced stands for the one that is gone.
  const auto open = open_.find(arg(node, 0));
  if (open != open_.end() && b_.at(open->second).shape == out.sizes().vec()) return open->second;
  return b_.view(needed(node), {}, out.sizes().vec());
}

// The first argument, as a value that may lie in memory.
Id Translator::needed(const Node* node) const {
  const Id id = arg(node, 0);
  if (id < 0) throw Unfusable{"an argument that it needs is missing"};
  return id;
}

}  // namespace shim::fuse
