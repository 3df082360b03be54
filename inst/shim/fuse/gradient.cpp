// Makes the program of a group's gradients: it goes through the expressions from the last to the first, and applies their
// derivatives.
#include "fuse/translator.h"

namespace shim::fuse {
namespace {

class Gradients {
 public:
  Gradients(Builder& builder, const Translator& translator)
      : b_(builder), translator_(translator), last_(static_cast<Id>(builder.program.exprs.size())) {}

  // Results and products as they were computed, and the gradients of results, become arguments.
  void take_results(const torch::jit::Graph& graph, const std::vector<bool>& given) {
    for (const auto* output : graph.outputs()) {
      const Id id = translator_.of(output);
      const int slot = b_.argument_slot(b_.at(id).dtype, translator_.probed(output).sizes().vec(), b_.at(id).closed);
      if (b_.at(id).extent != Extent::whole && !saved_.count(id)) saved_[id] = b_.tensor(slot);
    }
    products_ = b_.products();
    b_.program.arguments.insert(b_.program.arguments.end(), products_.begin(), products_.end());
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      const auto* output = graph.outputs()[i];
      const Id id = translator_.of(output);
      const int slot = b_.argument_slot(b_.at(id).dtype, translator_.probed(output).sizes().vec(), b_.at(id).closed);
      if (given[i]) adjoints_[id].push_back(b_.tensor(slot));
    }
  }

  // Notes the expressions that depend on an argument whose gradient is wanted.
  void find_ways(const torch::jit::Graph& graph, const std::vector<bool>& wanted) {
    for (size_t i = 0; i < wanted.size(); ++i)
      if (wanted[i]) wanted_slot_[translator_.slots[i]] = i;
    leads_.assign(static_cast<size_t>(last_), false);
    for (Id id = 0; id < last_; ++id) {
      const Expr& e = b_.at(id);
      if (!c10::isFloatingType(e.dtype)) continue;
      if (e.kind == Expr::tensor) {
        const Id maker = b_.program.slots[e.slot].made_by;
        leads_[id] = maker >= 0 ? leads_[maker] : wanted_slot_.count(e.slot) > 0;
      }
      for (const Id arg : e.args) leads_[id] = leads_[id] || leads_[arg];
    }
    for (const auto* output : graph.outputs()) b_.program.reached.push_back(leads_[translator_.of(output)]);
    // A wanted gradient to which nothing leads stays undefined.
    b_.program.results.assign(wanted.size(), -1);
  }

  void go_back() {
    for (Id id = last_ - 1; id >= 0; --id) {
      if (!leads_[id]) continue;
      join_parts(id);
      if (!adjoints_.count(id)) continue;
      const Expr e = b_.at(id);
      const Id g = arrived(id, e);
      if (e.kind == Expr::tensor) at_tensor(e, g);
      else if (e.kind == Expr::product) through_product(e, g);
      else if (e.kind == Expr::view) through_view(e, g);
      else if (e.kind == Expr::joined) through_joined(e, g);
      else if (e.kind == Expr::columns) through_columns(e, g);
      else if (e.kind == Expr::reduce) through_reduction(id, e, g);
      else if (translator_.softmaxes.count(id)) through_softmax(id, e, g);
      else if (e.kind == Expr::formula) through_formula(id, e, g);
    }
    // Products are read, not computed again. Until here it had to be known what they are made of.
    for (const int slot : products_) b_.program.slots[slot].made_by = -1;
  }

 private:
  // The sum of the gradients that arrive at a value, in its shape and type.
  Id arrived(Id id, const Expr& e) {
    static const Formula sum{"a + b"};
    std::map<Sizes, Id> by_shape;
    for (Id part : adjoints_[id]) {
      if (b_.at(part).dtype != e.dtype) part = b_.formula(plain(), {part}, e.dtype, e.dtype);
      const auto known = by_shape.find(b_.at(part).shape);
      if (known == by_shape.end()) by_shape[b_.at(part).shape] = part;
      else known->second = b_.formula(sum, {known->second, part}, e.dtype, e.dtype);
    }
    const Sizes shape = e.extent == Extent::whole ? Sizes{} : e.shape;
    Id g = -1;
    for (const auto& [from, part] : by_shape) {
      const Id here = count(from) == 1 && count(shape) == 1 ? part : b_.summed_to(part, shape);
      g = g < 0 ? here : b_.formula(sum, {g, here}, e.dtype, e.dtype);
    }
    return g;
  }

  // Reads an argument of the group, or a value between two of its kernels.
  void at_tensor(const Expr& e, Id g) {
    const Id maker = b_.program.slots[e.slot].made_by;
    if (maker >= 0) {
      adjoints_[maker].push_back(b_.at(maker).closed ? b_.unsqueezed(g) : g);
      return;
    }
    const size_t i = wanted_slot_.at(e.slot);
    if (b_.program.results[i] >= 0) throw Unfusable{"an argument that is read twice"};
    if (b_.at(g).extent == Extent::full && b_.at(g).kind == Expr::tensor) {
      const Id made_by = b_.program.slots[b_.at(g).slot].made_by;
      if (made_by >= 0 && b_.at(made_by).kind != Expr::view) {
        b_.program.results[i] = b_.at(g).slot;
        return;
      }
      // What leaves the group has memory of its own.
      g = b_.repeated(g, e.shape);
    }
    b_.program.results[i] = b_.slot_for(g, e.shape);
  }

  // Of C = A B: the gradient of A is G B', that of B is A' G.
  void through_product(const Expr& e, Id g) {
    g = in_shape(g, e.shape);
    const Id a = e.args[0], b = e.args[1];
    const bool turn_a = e.turned[0], turn_b = e.turned[1];
    // Matrices that are repeated get as many gradients, which are summed up where they arrive.
    const auto sizes_of = [&](Id id) {
      Sizes shape = b_.at(id).shape;
      if (e.batched) {
        shape.erase(shape.begin(), shape.end() - 2);
        shape.insert(shape.begin(), e.shape.begin(), e.shape.end() - 2);
      }
      return shape;
    };
    const Sizes of_a = sizes_of(a), of_b = sizes_of(b);
    if (leads_[a])
      adjoints_[a].push_back(turn_a ? b_.product(b, turn_b, g, true, of_a, e.batched)
                                    : b_.product(g, false, b, !turn_b, of_a, e.batched));
    if (leads_[b])
      adjoints_[b].push_back(turn_b ? b_.product(g, true, a, turn_a, of_b, e.batched)
                                    : b_.product(a, !turn_a, g, false, of_b, e.batched));
  }

  // What arrives, as a value of this shape that may lie in memory. Sums along rows end their kernel: elsewhere they would be read as
  // often as a row has elements.
  Id in_shape(Id g, const Sizes& shape) {
    if (b_.at(g).extent == Extent::row) g = b_.materialised(g);
    return b_.at(g).extent == Extent::full && b_.at(g).shape == shape ? g : b_.repeated(g, shape);
  }

  void through_view(const Expr& e, Id g) {
    if (!e.cuts.empty()) {
      parts_[e.args[0]].push_back({in_shape(g, e.shape), e.cuts[0]});
      return;
    }
    std::vector<int64_t> back(e.order.size());
    for (size_t d = 0; d < back.size(); ++d) back[static_cast<size_t>(e.order[d])] = static_cast<int64_t>(d);
    adjoints_[e.args[0]].push_back(b_.view(in_shape(g, e.shape), std::move(back), b_.at(e.args[0]).shape));
  }

  void through_columns(const Expr& e, Id g) {
    if (b_.at(g).extent == Extent::row) g = b_.materialised(g);
    Sizes kept = e.space;
    std::fill(kept.begin() + e.begin, kept.begin() + e.end, 1);
    if (trimmed(kept) != trimmed(b_.at(g).shape)) g = b_.view(in_shape(g, e.shape), {}, std::move(kept));
    adjoints_[e.args[0]].push_back(b_.repeated(g, e.space));
  }

  // The gradients of parts of a value that do not overlap are put side by side.
  void join_parts(Id id) {
    auto& open = parts_[id];
    const Sizes shape = b_.at(id).shape;
    while (!open.empty()) {
      const int64_t dim = open[0].cut.dim, size = shape[static_cast<size_t>(dim)];
      std::vector<bool> taken(static_cast<size_t>(size), false);
      std::vector<Id> here;
      std::vector<Cut> cuts;
      std::vector<Part> later;
      for (const Part& part : open) {
        const int64_t n = b_.at(part.g).shape[static_cast<size_t>(dim)];
        bool fits = part.cut.dim == dim;
        for (int64_t i = 0; fits && i < n; ++i) fits = !taken[static_cast<size_t>(part.cut.start + i * part.cut.step)];
        if (!fits) {
          later.push_back(part);
          continue;
        }
        for (int64_t i = 0; i < n; ++i) taken[static_cast<size_t>(part.cut.start + i * part.cut.step)] = true;
        here.push_back(part.g);
        cuts.push_back(part.cut);
      }
      const bool gaps = std::find(taken.begin(), taken.end(), false) != taken.end();
      adjoints_[id].push_back(b_.joined(here, std::move(cuts), shape, gaps));
      open = std::move(later);
    }
  }

  void through_joined(const Expr& e, Id g) {
    g = in_shape(g, e.shape);
    for (size_t i = 0; i < e.args.size(); ++i)
      if (leads_[e.args[i]]) adjoints_[e.args[i]].push_back(b_.part(g, e.cuts[i], b_.at(e.args[i]).shape));
  }

  void through_reduction(Id id, const Expr& e, Id g) {
    static const Formula times{"a * b"}, equal{"a == b"}, share{"b ? a : 0"}, part{"a / b"};
    const at::ScalarType type = b_.at(e.args[0]).dtype;
    Id down = g;
    if (e.extent == Extent::whole) {
      if (e.reduction != Reduction::sum) throw Unfusable{"the largest of all"};
      if (b_.is_mean(id)) down = b_.formula(times, {g, b_.inverse_count(e.space, e.dtype)}, e.dtype, e.dtype);
    } else if (e.reduction != Reduction::sum) {
      // Those that are equally large share it.
      const Id ties = b_.formula(equal, {e.args[0], saved_or(id)}, type, type);
      const Id all = b_.reduce(Reduction::sum, ties, false, type);
      down = b_.formula(share, {b_.formula(part, {g, all}, type, type), ties}, type, type);
    }
    if (b_.at(down).dtype != type) down = b_.formula(plain(), {down}, type, type);
    const Sizes under = b_.at(e.args[0]).shape;
    adjoints_[e.args[0]].push_back(b_.repeated(down, under));
  }

  void through_softmax(Id id, const Expr& e, Id g) {
    static const Formula times{"a * b"}, by_softmax{"a * (b - c)"}, by_log{"a - exp$(b) * c"};
    const auto& softmax = translator_.softmaxes.at(id);
    const Id r = saved_or(id);
    Id down;
    if (softmax.log) {
      const Id sum = b_.reduce(Reduction::sum, b_.full(g), false, e.dtype);
      down = b_.formula(by_log, {g, r, sum}, e.dtype, e.dtype);
    } else {
      const Id sum = b_.reduce(Reduction::sum, b_.formula(times, {g, r}, e.dtype, e.dtype), false, e.dtype);
      down = b_.formula(by_softmax, {r, g, sum}, e.dtype, e.dtype);
    }
    adjoints_[softmax.input].push_back(down);
  }

  void through_formula(Id id, const Expr& e, Id g) {
    const auto* known = b_.derivatives(id);
    if (!known) throw Unfusable{"its derivative is unknown"};
    // This is a copy: adding formulas moves what the builder keeps.
    const Builder::Derivatives derivatives = *known;
    std::vector<Id> args;
    for (const Id arg : derivatives.args) args.push_back(arg < 0 ? arg : saved_or(arg));
    const std::string letters = std::string("abcdefh").substr(0, args.size()) + "rg";
    args.push_back(saved_or(id));
    args.push_back(g);
    for (size_t k = 0; k < derivatives.args.size(); ++k) {
      const Id arg = derivatives.args[k];
      if (arg < 0 || arg >= last_ || !leads_[arg]) continue;
      const char* text = k < derivatives.texts.size() ? derivatives.texts[k] : nullptr;
      if (!text) throw Unfusable{"its derivative is unknown"};
      Id down = b_.formula(Formula{text}, args, e.dtype, e.dtype, letters);
      // A derivative that reads only what arrives may be of a smaller shape than the value.
      if (b_.at(down).extent == Extent::full && b_.at(down).shape != e.shape && count(b_.at(down).shape) != count(e.shape))
        down = b_.repeated(down, e.shape);
      adjoints_[arg].push_back(down);
    }
  }

  // A value of the group: a result that was kept, or computed again.
  Id saved_or(Id id) const {
    const auto found = saved_.find(id);
    return found == saved_.end() ? id : found->second;
  }

  Builder& b_;
  const Translator& translator_;
  const Id last_;
  std::vector<int> products_;  // slots
  std::map<Id, Id> saved_;
  std::map<Id, std::vector<Id>> adjoints_;
  struct Part {
    Id g;
    Cut cut;
  };
  std::map<Id, std::vector<Part>> parts_;  // of values, the gradients that arrive at parts of them
  std::vector<bool> leads_;
  std::map<int, size_t> wanted_slot_;
};

}  // namespace

Program backward_program(torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real,
                         const std::vector<bool>& given, const std::vector<bool>& wanted) {
  Builder builder;
  const Translator translator(builder, graph, arguments, real);
  Gradients gradients(builder, translator);
  gradients.take_results(graph, given);
  gradients.find_ways(graph, wanted);
  gradients.go_back();
  builder.schedule();
  return std::move(builder.program);
}

}  // namespace shim::fuse
