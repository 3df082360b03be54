#include "fuse/program.h"

#include <map>
#include <set>
#include <sstream>

namespace shim::fuse {

const char* stored(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return "float";
    case at::kDouble: return "double";
    case at::kLong: return "int64_t";
    case at::kInt: return "int32_t";
    case at::kShort: return "int16_t";
    case at::kChar: return "int8_t";
    case at::kByte: case at::kBool: return "uint8_t";
    case at::kBFloat16: return "uint16_t";
    case at::kHalf: return "_Float16";
    default: throw Unfusable{"its dtype is not one that kernels compute in"};
  }
}
static bool is_half(at::ScalarType type) { return type == at::kBFloat16 || type == at::kHalf; }
const char* computed(at::ScalarType type) { return is_half(type) ? "float" : stored(type); }

namespace {

bool is_heavy(const Expr& e) {
  static const char* const costly[] = {"exp", "log", "tanh", "erf", "sigmoid"};
  if (e.kind != Expr::formula) return false;
  for (const char* name : costly)
    if (e.text.find(name) != std::string::npos) return true;
  return false;
}

// A value as one of a dtype. What becomes a whole number goes through macros of kernel-math.h.
std::string converted(const std::string& it, at::ScalarType to) {
  if (c10::isFloatingType(to)) return std::string("((") + computed(to) + ")" + it + ")";
  return std::string("TO_") + (to == at::kBool ? "bool" : stored(to)) + "(" + it + ")";
}

// A value rounded as it is when it is stored.
std::string rounded(const std::string& it, at::ScalarType type) {
  return type == at::kBFloat16 ? "from_bf16(to_bf16(" + it + "))" : type == at::kHalf ? "(float)(_Float16)(" + it + ")" : it;
}

// Puts names in place of the letters of a formula.
std::string replaced(const std::string& text, const Expr& e, const std::vector<std::string>& args) {
  const std::string type = computed(e.compute), suffix = e.compute == at::kDouble ? "_d" : "_f";
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (!std::isalpha(static_cast<unsigned char>(text[i])) && text[i] != '_') {
      // A number is copied with its digits and exponent.
      if (std::isdigit(static_cast<unsigned char>(text[i]))) {
        while (i < text.size() && (std::isalnum(static_cast<unsigned char>(text[i])) || text[i] == '.')) out += text[i++];
      } else {
        out += text[i++];
      }
      continue;
    }
    size_t end = i;
    while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
    const std::string word = text.substr(i, end - i);
    i = end;
    if (word == "K") {
      const size_t close = text.find(')', i);
      out += "((" + type + ")" + text.substr(i + 1, close - i - 1) + ")";
      i = close + 1;
    } else if (i < text.size() && text[i] == '$') {
      out += word + suffix;
      ++i;
    } else if (word.size() == 1 && e.names.find(word[0]) != std::string::npos) {
      out += converted(args[e.names.find(word[0])], e.compute);
    } else {
      out += word;
    }
  }
  return out;
}

class Writer {
 public:
  Writer(const Program& program, const Kernel& kernel, const std::vector<Step>& steps, int lanes)
      : program_(program), kernel_(kernel), steps_(steps), lanes_(lanes) {
    for (size_t i = 0; i < kernel.arguments.size(); ++i) operand_[kernel.arguments[i]] = i;
  }

  std::string write(size_t& scratch) {
    for (const Id id : kernel_.values) last_ = std::max(last_, stage(id));
    find_saved();
    std::ostringstream body;
    for (int k = 0; k <= last_; ++k) body << text_of_stage(k);
    body << row_results();
    std::ostringstream out;
    if (program_.exact)
      out << "#if defined(__GNUC__) && !defined(__clang__)\n#pragma GCC optimize(\"fp-contract=off\")\n#else\n"
             "#pragma STDC FP_CONTRACT OFF\n#endif\n";
    out << "typedef union { double d; int64_t i; } number;\n"
        << "#define LANES " << lanes_ << "\n#define BLOCK 1024\n"
        << "#define EACH(k) for (int l = 0; l < (k); ++l)\n"
        << "EXPORT void kernel(char** p, const int64_t* outer, const int64_t* inner, const number* c, int64_t rows, int64_t n,\n"
        << "            char* scratch) {\n  HIDE_ZERO\n"
        << numbers_.str() << "  for (int64_t i = 0; i < rows; ++i) {\n"
        << rows_.str() << body.str() << "  }\n}\n";
    scratch = scratch_;
    return out.str();
  }

 private:
  const Expr& at(Id id) const { return program_.exprs[id]; }

  // After how many passes over the row a value is known.
  int stage(Id id) {
    const auto known = stage_.find(id);
    if (known != stage_.end()) return known->second;
    int k = 0;
    for (const Id arg : at(id).args) k = std::max(k, stage(arg));
    if (at(id).kind == Expr::reduce || at(id).block) ++k;
    return stage_[id] = k;
  }

  bool is_row(Id id) const { return at(id).extent != Extent::full; }
  // Whether a value is the same all along a row, as far as this kernel can see.
  bool is_once(Id id) {
    const auto known = once_.find(id);
    if (known != once_.end()) return known->second;
    const Expr& e = at(id);
    bool once = is_row(id) || e.kind == Expr::number ||
                (e.kind == Expr::tensor && steps_[operand_.at(e.slot)] == Step::none);
    if (!once && e.kind == Expr::formula && !e.block) {
      once = true;
      for (const Id arg : e.args) once = once && is_once(arg);
    }
    return once_[id] = once;
  }

  // What a pass has to compute for later ones.
  std::vector<Id> ends(int k) {
    std::vector<Id> found;
    for (const Id id : all())
      if ((at(id).kind == Expr::reduce || at(id).block) && stage(id) == k + 1) found.push_back(id);
    return found;
  }

  // All expressions that the kernel needs, arguments first.
  const std::vector<Id>& all() {
    if (all_.empty()) {
      std::set<Id> seen;
      for (const Id id : kernel_.values) gather(id, seen);
    }
    return all_;
  }
  void gather(Id id, std::set<Id>& seen) {
    if (!seen.insert(id).second) return;
    for (const Id arg : at(id).args) gather(arg, seen);
    all_.push_back(id);
  }

  // Values that a later pass reads, and that cost more to compute again than to keep.
  void find_saved() {
    for (const Id id : all()) {
      if (!at(id).block) continue;
      saved_.insert(id);
      for (const Id arg : at(id).args) saved_.insert(arg);
    }
    // The last pass comes first: what it reads of a row, the passes before have to keep.
    for (int k = last_; k >= 0; --k)
      for (const Id id : roots(k)) look(id, k);
    for (const Id id : all())
      if (saved_.count(id)) {
        offset_[id] = scratch_;
        scratch_ += 8;
      }
  }
  std::vector<Id> roots(int k) {
    std::vector<Id> found;
    for (const Id id : ends(k))
      for (const Id arg : at(id).args) found.push_back(arg);
    for (const Id id : kernel_.values)
      if (!is_row(id) && stage(id) == k) found.push_back(id);
    for (const Id id : saved_)
      if (stage(id) == k && !at(id).block) found.push_back(id);
    return found;
  }
  void look(Id id, int k) {
    if (is_once(id)) return;
    if (stage(id) < k && is_heavy(at(id))) {
      saved_.insert(id);
      return;
    }
    if (at(id).block) return;
    for (const Id arg : at(id).args) look(arg, k);
  }

  // --- one value ---------------------------------------------------------------------------------------------------

  std::string name(Id id) const { return "v" + std::to_string(id); }

  // Reads a number, or an element of an argument.
  std::string leaf(Id id) {
    const Expr& e = at(id);
    if (e.kind == Expr::position) return "j";
    if (e.kind == Expr::number) {
      if (declared_.insert(id).second)
        numbers_ << "  const " << computed(e.dtype) << " " << name(id) << " = (" << computed(e.dtype) << ")c[" << e.slot
                 << "]." << (e.integer ? "i" : "d") << ";\n";
      return name(id);
    }
    const size_t k = operand_.at(e.slot);
    const std::string at_k = std::to_string(k), type = stored(e.dtype);
    const Step step = steps_[k];
    if (opened_.insert(k).second)
      rows_ << "    const " << type << "* const x" << k << " = (const " << type << "*)(p[" << at_k << "] + i * outer["
            << at_k << "]);\n";
    if (declared_.insert(id).second) {
      if (step == Step::none)
        rows_ << "    const " << computed(e.dtype) << " " << name(id) << " = " << loaded("*x" + at_k, e.dtype) << ";\n";
    }
    if (step == Step::none) return name(id);
    if (step == Step::one) return loaded("x" + at_k + "[j]", e.dtype);
    return loaded("*(const " + type + "*)((const char*)x" + at_k + " + j * inner[" + at_k + "])", e.dtype);
  }
  static std::string loaded(const std::string& it, at::ScalarType type) {
    return type == at::kBFloat16 ? "from_bf16(" + it + ")" : type == at::kHalf ? "(float)" + it : it;
  }
  static std::string to_store(const std::string& it, at::ScalarType type) {
    return type == at::kBFloat16 ? "to_bf16(" + it + ")" : type == at::kHalf ? "(_Float16)" + it
           : type == at::kBool ? "(uint8_t)(" + it + ")" : it;
  }

  std::string saved(Id id) {
    const std::string type = computed(at(id).dtype);
    return "((" + type + "*)(scratch + " + std::to_string(offset_[id]) + " * n))";
  }

  // The name of a value at the place where `known` are known, writing what it needs.
  std::string value(Id id, int k, std::set<Id>& known, std::ostringstream& out) {
    const Expr& e = at(id);
    if (e.kind == Expr::tensor || e.kind == Expr::number || e.kind == Expr::position) return leaf(id);
    if (e.kind == Expr::reduce || row_known_.count(id)) return name(id);
    if (saved_.count(id) && stage(id) < k) return saved(id) + "[j]";
    if (e.block) return saved(id) + "[j]";
    if (known.insert(id).second) {
      std::vector<std::string> args;
      for (const Id arg : e.args) args.push_back(value(arg, k, known, out));
      const std::string type = computed(e.dtype);
      out << "      " << type << " " << name(id) << ";\n";
      out << "      { " << filled(e, args) << " }\n";
    }
    return name(id);
  }

  std::string filled(const Expr& e, const std::vector<std::string>& args) {
    return assignment(e, name(static_cast<Id>(&e - program_.exprs.data())), args);
  }

  // --- one pass ----------------------------------------------------------------------------------------------------

  // A reduction over the row: in lanes `q` over a block, and over blocks in one number `w`. Of a largest or least one `u`
  // tells whether a NaN was met.
  struct Fold {
    std::string id, accumulator, partial, result, start, compare;
    at::ScalarType rounded;
    bool sums() const { return compare.empty(); }
  };
  Fold fold_of(Id id) const {
    const Expr& e = at(id);
    const at::ScalarType type = fuse::accumulator(e), from = at(e.args[0]).dtype;
    Fold fold{std::to_string(id), stored(type), computed(from), computed(e.dtype), "0", "", e.rounded ? e.dtype : at::kFloat};
    if (e.reduction == Reduction::sum) {
      fold.partial = type == at::kDouble && from != at::kDouble ? "float" : fold.accumulator;
    } else {
      if (!c10::isFloatingType(e.dtype)) throw Unfusable{"a largest or least whole number"};
      const bool most = e.reduction == Reduction::max;
      fold.start = most ? "-INFINITY" : "INFINITY";
      fold.compare = most ? " > " : " < ";
    }
    return fold;
  }
  // Adds one element to a reduction. The last lanes have elements in common with those before, which a sum leaves out.
  static std::string folded(const Fold& fold, const std::string& it) {
    const std::string q = "q" + fold.id + "[l]";
    if (fold.sums()) return "      " + q + " += l < old ? 0 : (" + fold.partial + ")" + it + ";\n";
    return "      " + q + " = " + it + fold.compare + q + " ? " + it + " : " + q + ";\n      u" + fold.id + "[l] |= " + it +
           " != " + it + ";\n";
  }

  // Joins all lanes of a list in its first. Each step is written out, since in a loop the list would stay in memory.
  template <typename Both>
  std::string in_one(const std::string& list, const Both& both) const {
    std::string out;
    for (int h = lanes_ / 2; h > 0; h /= 2) {
      const std::string n = std::to_string(h);
      out += "      EACH(" + n + ") " + list + "[l] = " + both(list + "[l]", list + "[l + " + n + "]") + ";\n";
    }
    return out;
  }

  // A pass over the row, in lanes: the last ones end with the row and compute again what they have in common with those
  // before, so that no element is left over to be computed by itself.
  void write_pass(const std::string& body, const std::vector<Fold>& folds, std::ostringstream& out) const {
    std::ostringstream before, start, end, after;
    bool sums = false;
    for (const Fold& fold : folds) {
      const std::string &id = fold.id, w = "w" + id, q = "q" + id, u = "u" + id, type = "(" + fold.result + ")";
      before << "    " << fold.accumulator << " " << w << " = " << fold.start << ";\n";
      start << "      " << fold.partial << " " << q << "[LANES];\n      EACH(LANES) " << q << "[l] = " << fold.start << ";\n";
      if (fold.sums()) {
        sums = true;
        end << in_one(q, [](const std::string& a, const std::string& b) { return a + " + " + b; }) << "      " << w << " += " << q
            << "[0];\n";
        after << "    const " << fold.result << " v" << id << " = " << rounded(type + w, fold.rounded) << ";\n";
      } else {
        const auto better = [&](const std::string& a, const std::string& b) { return b + fold.compare + a + " ? " + b + " : " + a; };
        before << "    int " << u << "[LANES];\n    EACH(LANES) " << u << "[l] = 0;\n";
        end << in_one(q, better) << "      " << w << " = " << better(w, q + "[0]") << ";\n";
        after << in_one(u, [](const std::string& a, const std::string& b) { return a + " | " + b; }) << "    const " << fold.result
              << " v" << id << " = " << u << "[0] ? " << type << "NAN : " << type << w << ";\n";
      }
    }
    // Sums of a block are added up in double precision; without sums a row is one block.
    out << before.str() << "    for (int64_t j0 = 0; j0 < n; j0 += " << (folds.empty() ? "n" : "BLOCK")
        << ") {\n      const int64_t end = " << (folds.empty() ? "n" : "j0 + BLOCK < n ? j0 + BLOCK : n") << ";\n" << start.str();
    const auto lanes = [&](const char* loop, const char* first, const char* old) {
      out << "      " << loop << " {\n        const int64_t s = " << first << ";\n        const int old = " << old
          << ";\n#pragma omp simd\n        EACH(LANES) {\n      const int64_t j = s + l;\n" << body << "        }\n      }\n";
    };
    if (sums) {
      // Only the last lanes have to look for what was added before.
      out << "      int64_t b = j0;\n";
      lanes("for (; b + LANES <= end; b += LANES)", "b", "0");
      lanes("if (b < end)", "end - LANES", "(int)(b - s)");
    } else {
      lanes("for (int64_t b = j0; b < end; b += LANES)", "b + LANES <= end ? b : end - LANES", "0");
    }
    out << end.str() << "    }\n" << after.str();
  }

  std::string text_of_stage(int k) {
    std::ostringstream out;
    // Values that live once a row and follow from the passes before.
    for (const Id id : all()) {
      if (!is_once(id) || at(id).kind != Expr::formula || stage(id) != k) continue;
      std::set<Id> known = row_known_;
      std::ostringstream text;
      std::vector<std::string> args;
      for (const Id arg : at(id).args) args.push_back(value(arg, k, known, text));
      out << text.str() << "    " << computed(at(id).dtype) << " " << name(id) << ";\n    { " << filled(at(id), args)
          << " }\n";
      row_known_.insert(id);
    }
    std::vector<Id> folds, blocks;
    for (const Id id : ends(k)) (at(id).block ? blocks : folds).push_back(id);
    std::ostringstream loop;
    std::set<Id> known;
    std::set<Id> stored_now;
    for (const Id id : roots(k)) {
      const std::string it = value(id, k, known, loop);
      if (saved_.count(id) && stage(id) == k && stored_now.insert(id).second && !at(id).block)
        loop << "      " << saved(id) << "[j] = " << it << ";\n";
    }
    for (const Id id : all())
      if (saved_.count(id) && stage(id) == k && known.count(id) && stored_now.insert(id).second)
        loop << "      " << saved(id) << "[j] = " << name(id) << ";\n";
    for (size_t r = 0; r < kernel_.results.size(); ++r) {
      const Id id = kernel_.values[r];
      if (is_row(id) || stage(id) != k) continue;
      loop << store(r, value(id, k, known, loop));
    }
    for (const Id id : folds) loop << folded(fold_of(id), value(at(id).args[0], k, known, loop));
    if (!loop.str().empty()) {
      std::vector<Fold> described;
      for (const Id id : folds) described.push_back(fold_of(id));
      write_pass(loop.str(), described, out);
    }
    for (const Id id : blocks) {
      const Expr& e = at(id);
      const char* suffix = e.compute == at::kDouble ? "_d(" : "_f(";
      out << "    " << e.text << "_block" << suffix;
      for (const Id arg : e.args) out << saved(arg) << ", ";
      out << saved(id) << ", n);\n";
    }
    return out.str();
  }

  std::string store(size_t r, const std::string& it) {
    const size_t k = kernel_.arguments.size() + r;
    const at::ScalarType dtype = program_.slots[kernel_.results[r]].dtype;
    const std::string type = stored(dtype), at_k = std::to_string(k);
    if (result_declared_.insert(r).second)
      rows_ << "    " << type << "* const y" << r << " = (" << type << "*)(p[" << at_k << "] + i * outer[" << at_k << "]);\n";
    const std::string place = steps_[k] == Step::one ? "y" + std::to_string(r) + "[j]"
                                                     : "*(" + type + "*)((char*)y" + std::to_string(r) + " + j * inner[" + at_k + "])";
    return "      " + place + " = " + to_store(it, dtype) + ";\n";
  }

  std::string row_results() {
    std::ostringstream out;
    for (size_t r = 0; r < kernel_.results.size(); ++r) {
      const Id id = kernel_.values[r];
      if (!is_row(id)) continue;
      const std::string at_k = std::to_string(kernel_.arguments.size() + r);
      const bool whole = at(id).extent == Extent::whole;
      const at::ScalarType dtype = whole ? fuse::accumulator(at(id)) : program_.slots[kernel_.results[r]].dtype;
      const std::string it = whole && at(id).reduction == Reduction::sum ? "w" + std::to_string(id) : name(id);
      out << "    *(" << stored(dtype) << "*)(p[" << at_k << "] + i * outer[" << at_k << "]) = " << to_store(it, dtype)
          << ";\n";
    }
    return out.str();
  }

  const Program& program_;
  const Kernel& kernel_;
  const std::vector<Step>& steps_;
  const int lanes_;
  std::map<int, size_t> operand_;
  std::map<Id, int> stage_;
  std::map<Id, bool> once_;
  std::map<Id, size_t> offset_;
  std::vector<Id> all_;
  std::set<Id> saved_, declared_, row_known_;
  std::set<size_t> opened_, result_declared_;
  std::ostringstream numbers_, rows_;
  size_t scratch_ = 0;
  int last_ = 0;
};

}  // namespace

std::string assignment(const Expr& e, const std::string& name, const std::vector<std::string>& args) {
  const std::string type = computed(e.compute);
  std::string text = e.text, before;
  const size_t semicolon = text.find(';');
  if (semicolon != std::string::npos) {
    const size_t equals = text.find('=');
    before = "const " + type + " x = " + replaced(text.substr(equals + 1, semicolon - equals - 1), e, args) + "; ";
    text = text.substr(semicolon + 1);
  }
  const std::string it = "(" + replaced(text, e, args) + ")";
  // Arguments of whole numbers are whole already: hiding zero twice would show it.
  const bool converts = c10::isFloatingType(e.compute) || e.dtype == at::kBool;
  const std::string cast = converts ? converted(it, e.dtype) : std::string("(") + computed(e.dtype) + ")" + it;
  return before + name + " = " + (e.rounded ? rounded(it, e.dtype) : cast) + ";";
}

at::ScalarType accumulator(const Expr& expr) {
  if (expr.reduction != Reduction::sum) return expr.dtype;
  return c10::isFloatingType(expr.dtype) ? at::kDouble : at::kLong;
}

std::string source_of(const Program& program, const Kernel& kernel, const std::vector<Step>& steps, int lanes, size_t& scratch) {
  return Writer(program, kernel, steps, lanes).write(scratch);
}

}  // namespace shim::fuse
