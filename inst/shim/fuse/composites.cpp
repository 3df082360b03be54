// Operators that are no single formula: reductions, products and those that are made of several formulas.
#include <ATen/Functions.h>

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

// What is reduced over: everything, rows, dimensions that lie together without the last, or others.
struct Over {
  enum Kind { all, last, inner, others } kind;
  int64_t begin = 0, end = 0;
};
Over over(const std::vector<int64_t>& dims, int64_t rank) {
  std::set<int64_t> set;
  for (const int64_t dim : dims) set.insert(dim < 0 ? dim + rank : dim);
  if (set.empty() || static_cast<int64_t>(set.size()) == rank) return {Over::all};
  if (set.size() == 1 && *set.begin() == rank - 1) return {Over::last};
  const int64_t begin = *set.begin(), end = *set.rbegin() + 1;
  return {end < rank && end - begin == static_cast<int64_t>(set.size()) ? Over::inner : Over::others, begin, end};
}

bool is_along_rows(const c10::IValue& dim, int64_t rank) {
  if (rank == 0) return false;
  const Over::Kind which = over(dimensions(dim), rank).kind;
  return which == Over::last || which == Over::all;
}

// Checks a node before there are sizes. What is found now keeps the node out of a group, and does not stop the whole group later.
bool adds_up(const Node& node) {
  return node.kind() == c10::aten::sum || node.kind() == c10::aten::mean || node.kind() == c10::aten::var || node.kind() == c10::aten::std;
}
Over::Kind reduced_over(const Node& node) {
  const int64_t rank = rank_of(node.input(0));
  if (rank < 0 || node.inputs().size() < 2) return Over::last;
  const auto dims = torch::jit::toIValue(node.input(1));
  // The overloads of these without dimensions have something else where the others have the dimensions.
  const bool whole = adds_up(node) && node.inputs().size() != 4;
  return whole ? Over::all : dims ? over(dimensions(*dims), rank).kind : Over::last;
}
bool reduces_well(const Node& node) {
  const Over::Kind which = reduced_over(node);
  if (which != Over::inner) return which != Over::others;
  const auto type = node.output()->type()->cast<c10::TensorType>();
  const auto dtype = type ? type->scalarType() : c10::nullopt;
  return !dtype || *dtype == at::kFloat || *dtype == at::kDouble;
}
bool reduces_rows(const Node& node) { return reduces_well(node) && reduced_over(node) != Over::inner; }
bool is_softmax_of_rows(const Node& node) {
  const int64_t rank = rank_of(node.input(0));
  const auto dim = torch::jit::toIValue(node.input(1));
  return rank < 0 || !dim || !dim->isInt() || over({dim->toInt()}, rank).kind == Over::last || (rank == 1 && dim->toInt() == 0);
}
bool always(const Node&) { return true; }
// A matrix of scores, and numbers of classes as targets, which count alike; negative ones may be left out.
bool picks_classes(const Node& node) {
  const auto constant = [&](size_t i) { return torch::jit::toIValue(node.input(i)); };
  const auto dtype_of = [&](size_t i) {
    const auto type = node.input(i)->type()->cast<c10::TensorType>();
    return type ? type->scalarType() : c10::nullopt;
  };
  const auto weight = constant(2), ignored = constant(4);
  const bool smooth = node.inputs().size() > 5 && !(constant(5) && constant(5)->toDouble() == 0);
  const auto scores = dtype_of(0), target = dtype_of(1);
  return weight && weight->isNone() && ignored && ignored->toInt() < 0 && !smooth &&
         (!scores || *scores == at::kFloat || *scores == at::kDouble) && (!target || *target == at::kLong) &&
         (rank_of(node.input(0)) < 0 || rank_of(node.input(0)) == 2);
}
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
}  // namespace

bool sums_columns(const Node& node) {
  return adds_up(node) && reduced_over(node) == Over::inner;
}

const Composite* composite_of(c10::Symbol op) {
  using T = Translator;
  static const auto& table = *new std::unordered_map<std::string, Composite>{
      {"sum", {&T::sum, reduces_well}},
      {"mean", {&T::sum, reduces_well}},
      {"var", {&T::variance, reduces_well}},
      {"std", {&T::variance, reduces_well}},
      {"amax", {&T::extreme, reduces_rows}},
      {"amin", {&T::extreme, reduces_rows}},
      {"softmax", {&T::softmax, is_softmax_of_rows}},
      {"log_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_log_softmax", {&T::softmax, is_softmax_of_rows}},
      {"_softmax_backward_data", {&T::softmax_backward, always}},
      {"_log_softmax_backward_data", {&T::softmax_backward, always}},
      {"layer_norm", {&T::norm, always, worth, 1}},
      {"rms_norm", {&T::norm, always, worth, 1}},
      {"mse_loss", {&T::mse_loss, always}},
      {"mse_loss_backward", {&T::mse_loss_backward, always}},
      {"l1_loss", {&T::l1_loss, always}},
      {"huber_loss", {&T::huber_loss, always}},
      {"smooth_l1_loss", {&T::smooth_l1_loss, always}},
      {"binary_cross_entropy_with_logits", {&T::logits_loss, always}},
      {"nll_loss", {&T::class_loss, picks_classes, choosing}},
      {"nll_loss_nd", {&T::class_loss, picks_classes, choosing}},
      {"cross_entropy_loss", {&T::class_loss, picks_classes, worth | choosing}},
      {"linear", {&T::linear, always, multiplied}},
      {"addmm", {&T::addmm, adds_as_it_is, multiplied}},
      {"baddbmm", {&T::addmm, adds_as_it_is, multiplied}},
      {"mm", {&T::mm, always, multiplied}},
      {"bmm", {&T::mm, always, multiplied}},
      {"matmul", {&T::mm, multiplies_matrices, multiplied}},
      {"expand", {&T::expand, always, inside, 1}},
      {"expand_as", {&T::expand, always, inside}},
      {"t", {&T::permute, always, inside}},
      {"transpose", {&T::permute, always, inside}},
      {"permute", {&T::permute, always, inside}},
      {"view", {&T::reshape, always, inside | reshaped, 1}},
      {"reshape", {&T::reshape, always, inside | reshaped, 1}},
      {"flatten", {&T::reshape, always, inside | reshaped}},
      {"unflatten", {&T::reshape, always, inside | reshaped}},
      {"unsqueeze", {&T::reshape, always, inside}},
      {"squeeze", {&T::reshape, always, inside}},
      {"contiguous", {&T::pack, is_packed_in_order, inside}},
      {"select", {&T::select, always, inside | reshaped}},
      {"slice", {&T::slice, always, inside | reshaped}},
      {"narrow", {&T::slice, always, inside | reshaped}},
      {"cat", {&T::cat, always, reshaped | gathered}},
      {"concat", {&T::cat, always, reshaped | gathered}},
      {"stack", {&T::cat, always, reshaped | gathered}},
  };
  if (!op.is_aten()) return nullptr;
  const auto found = table.find(op.toUnqualString());
  return found == table.end() ? nullptr : &found->second;
}

// --- reductions -------------------------------------------------------------------------------------------------------

// Rows without the dimension that was reduced are read as they lie in memory: their expression still has it.
Id Translator::cast(Id id, at::ScalarType dtype) {
  if (b_.at(id).closed) id = b_.materialised(id);
  return b_.at(id).dtype == dtype ? id : b_.formula(same(), {id}, dtype, dtype);
}

Id Translator::formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type) {
  // Texts live as long as the program: they are constants of this file.
  return b_.formula(Formula{text, std::move(derivatives)}, std::move(args), type, type);
}

Id Translator::reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean) {
  const auto rank = static_cast<int64_t>(b_.at(a).shape.size());
  const Over which = over(dimensions(dims), rank);
  if (which.kind == Over::inner && reduction == Reduction::sum) {
    const Sizes shape = b_.at(a).shape;
    const auto from = shape.begin() + which.begin, until = shape.begin() + which.end;
    Sizes to(shape.begin(), from);
    if (keep) to.insert(to.end(), static_cast<size_t>(until - from), 1);
    to.insert(to.end(), until, shape.end());
    const Id sums = b_.columns(a, which.begin, which.end, std::move(to));
    return mean ? formula("a * b", {"g * b"}, {sums, b_.inverse_count(Sizes(from, until), dtype)}, dtype) : sums;
  }
  if (which.kind == Over::inner || which.kind == Over::others) throw Unfusable{"it reduces other dimensions than the last"};
  const bool whole = which.kind == Over::all;
  Id id = b_.reduce(reduction, a, whole, dtype);
  if (mean && whole) b_.mean_of_whole(id);
  if (mean && !whole && !b_.is_single(a)) id = formula("a / b", {"g / b"}, {id, b_.count_of({b_.at(a).shape.back()}, dtype)}, dtype);
  return whole || keep ? id : without_last(id);
}

// It may only be a result: a formula that read it would see one dimension more.
Id Translator::without_last(Id id) {
  const Id closed = b_.formula(same(), {id}, b_.at(id).dtype, b_.at(id).dtype);
  b_.close(closed);
  open_[closed] = id;
  return closed;
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
  return reduced(most ? Reduction::max : Reduction::min, cast(arg(node, 0), out.scalar_type()), constant(node, 1), constant(node, 2).toBool(),
                 out.scalar_type(), false);
}

// Of the squares of what is left without the mean, as LibTorch has it with a correction of n.
Id Translator::variance(Node* node, const at::Tensor& out) {
  const at::ScalarType dtype = out.scalar_type();
  if (dtype != at::kFloat && dtype != at::kDouble) throw Unfusable{"the variance of another dtype"};
  const bool has_dims = node->inputs().size() == 4;
  const c10::IValue dims = has_dims ? constant(node, 1) : c10::IValue(), how = constant(node, has_dims ? 2 : 1);
  const double correction = how.isBool() ? how.toBool() : how.isNone() ? 1 : how.toScalar().toDouble();
  const bool keep = has_dims && constant(node, 3).toBool();
  const Id x = cast(arg(node, 0), dtype);
  const Sizes shape = b_.at(x).shape;
  const Over which = over(dimensions(dims), static_cast<int64_t>(shape.size()));
  if (which.kind == Over::last && b_.is_single(x)) throw Unfusable{"the variance of one element"};
  const bool closes = which.kind == Over::last && !keep;
  const Id mean = reduced(Reduction::sum, x, dims, true, dtype, true);
  const Id centred = formula("a - b", {"g", "-g"}, {x, mean}, dtype);
  // Squares of numbers that are far from 1 are no numbers of single precision.
  const at::ScalarType wide = which.kind == Over::inner ? dtype : at::kDouble;
  const Id squares = formula("a * a", {"g * (a + a)"}, {centred}, wide);
  const Id each = reduced(Reduction::sum, squares, dims, keep || closes, wide, true);
  const Sizes counted = which.kind == Over::inner  ? Sizes(shape.begin() + which.begin, shape.begin() + which.end)
                        : which.kind == Over::last ? Sizes{shape.back()}
                                                   : shape;
  Id result = formula("a * b", {"g * b"}, {each, b_.corrected_count(counted, correction, wide)}, wide);
  if (node->kind() == c10::aten::std) result = formula("sqrt$(a)", {"r == 0 ? 0 : g / (r + r)"}, {result}, wide);
  result = cast(result, dtype);
  return closes ? without_last(result) : result;
}

// --- along rows -------------------------------------------------------------------------------------------------------

Id Translator::softmax(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  if (!is_along_rows(constant(node, 1), out.dim()))
    throw Unfusable{"it reduces other dimensions than the last"};
  const bool log = std::string(node->kind().toUnqualString()).find("log") != std::string::npos;
  return softmax_of(cast(arg(node, 0), dtype), log, dtype);
}

Id Translator::softmax_of(Id x, bool log, at::ScalarType dtype) {
  const Id most = b_.reduce(Reduction::max, x, false, dtype);
  const Id away = formula("a - b", {}, {x, most}, dtype), e = formula("exp_below$(a)", {}, {away}, dtype);
  const Id sum = b_.reduce(Reduction::sum, e, false, dtype);
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
  const std::vector<int64_t> sizes = constant(node, 1).toIntVector();
  if (sizes.size() != 1) throw Unfusable{"it goes over other sizes"};
  const Id x = cast(arg(node, 0), dtype);
  if (b_.is_single(x)) throw Unfusable{"it goes over one element"};
  const Id n = b_.count_of({b_.at(x).shape.back()}, dtype);
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

// input, target, weight, reduction, ignore_index, of cross_entropy_loss() also label_smoothing
Id Translator::class_loss(Node* node, const at::Tensor& out) {
  expect_floating(out);
  const at::ScalarType dtype = out.scalar_type();
  Id x = cast(arg(node, 0), dtype);
  const Id target = arg(node, 1);
  const Sizes shape = b_.at(x).shape;
  if (shape.size() != 2 || b_.is_single(x) || (dtype != at::kFloat && dtype != at::kDouble))
    throw Unfusable{"its classes are not those of a matrix"};
  const int slot = b_.at(target).slot;
  if (b_.at(target).dtype != at::kLong || b_.at(target).shape != Sizes{shape[0]}) throw Unfusable{"its targets are no classes"};
  if (b_.at(target).kind != Expr::tensor || b_.program.slots[slot].made_by >= 0) throw Unfusable{"its targets are computed"};
  b_.program.choices.push_back({slot, shape.back(), constant(node, 4).toInt()});
  if (node->kind() == c10::aten::cross_entropy_loss) x = softmax_of(x, true, dtype);
  const Id row = b_.view(target, {}, {shape[0], 1}), at = b_.position();
  // In 32 bits: of numbers of 64 bits compilers make no vector code, neither compared nor as a float.
  const Id chosen = formula("a == b", {}, {at, row}, at::kInt);
  const Id each = formula("a ? -b : 0", {nullptr, "a ? -g : 0"}, {chosen, x}, dtype);
  const int64_t reduction = constant(node, 3).toInt();
  if (reduction == 0) return without_last(b_.reduce(Reduction::sum, each, false, dtype));
  const Id sum = b_.reduce(Reduction::sum, each, true, dtype);
  if (reduction == 2) return sum;
  // Targets that are left out have no class.
  const Id counted = b_.reduce(Reduction::sum, formula("a < 0 ? 0 : 1", {}, {target}, dtype), true, dtype);
  return formula("a / b", {"g / b"}, {sum, counted}, dtype);
}

// --- products ---------------------------------------------------------------------------------------------------------

Translator::Matrix Translator::matrix(const Node* node, size_t i) const {
  const auto turned = turned_.find(node->input(i));
  Matrix it = turned == turned_.end() ? Matrix{arg(node, i), false} : Matrix{turned->second, true};
  if (it.id < 0) throw Unfusable{"an argument that it needs is missing"};
  if (b_.at(it.id).closed) it.id = b_.materialised(it.id);
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

}  // namespace shim::fuse
