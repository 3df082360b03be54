// Finds out which function a call calls, and compiles the call: R's own functions, operators, functions that are
// compiled, functions in variables and lists.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "core/callable.h"
#include "jit/builtins.h"
#include "jit/names.h"
#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

// Creation functions take their sizes as several numbers or as one vector; here both become one vector.
SugaredValuePtr of_size(Call& call) {
  std::vector<Value*> sizes;
  sizes.swap(call.inputs);
  if (!sizes.empty()) {
    if (sizes.size() == 1 && is_list(sizes[0])) {
      call.named.emplace_back("size", sizes[0]);
    } else {
      for (auto*& size : sizes) size = call.whole(size, "a size");
      call.named.emplace_back("size", list_of(call, c10::IntType::get(), sizes));
    }
  }
  std::string why;
  auto* value = call_builtin(call, &why);
  if (!value) call.fail(why);
  return call.give(value);
}

// `is.numeric(x)` and its like are constants: the type of x is known.
SugaredValuePtr is_kind(Call& call) {
  if (call.inputs.size() != 1) call.fail("`" + call.payload + "()` takes one value");
  const auto* value = call.inputs[0];
  TypePtr type = value->type();
  if (type->kind() == TypeKind::OptionalType)
    call.fail("what this is depends on whether it is NULL: ask `is.null()` before");
  const bool list = type->kind() == TypeKind::ListType;
  const auto kind = list ? element_type(value)->kind() : type->kind();
  const bool number = kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::NumberType;
  const bool plain = number || kind == TypeKind::BoolType || kind == TypeKind::StringType;
  bool is = false;
  const auto& name = call.payload;
  if (name == "is.numeric") is = number;
  if (name == "is.integer") is = kind == TypeKind::IntType;
  if (name == "is.double") is = kind == TypeKind::FloatType;
  if (name == "is.logical") is = kind == TypeKind::BoolType;
  if (name == "is.character") is = kind == TypeKind::StringType;
  if (name == "is.atomic" || name == "is.vector") is = plain;
  if (name == "is.list")
    is = (list && !plain) || (kind == TypeKind::TupleType && !is_function(type)) || kind == TypeKind::DictType;
  if (name == "is.function") is = is_function(type) || kind == TypeKind::ClassType;
  if (name == "is_torch_tensor") is = !list && is_tensor(value);
  return call.give(call.constant(is));
}

namespace {

// What `class()`, `typeof()` and `mode()` say of a value, by its type.
std::vector<std::string> classes_of(const Call& call, const Value* value, const std::string& name) {
  const auto& type = value->type();
  const bool is_class = name == "class";
  if (type->kind() == TypeKind::OptionalType)
    call.fail("what this is depends on whether it is NULL: ask `is.null()` before");
  if (is_class && is_tensor(value)) return {"torch_tensor", "R7"};
  switch (is_list(value) ? element_type(value)->kind() : type->kind()) {
    case TypeKind::IntType:
      return {name == "mode" ? "numeric" : "integer"};
    case TypeKind::FloatType:
      return {is_class || name == "mode" ? "numeric" : "double"};
    case TypeKind::BoolType:
      return {"logical"};
    case TypeKind::StringType:
      return {"character"};
    case TypeKind::NoneType:
      return {"NULL"};
    default:
      break;
  }
  if (is_function(type)) return {is_class || name == "mode" ? "function" : "closure"};
  if (is_list(value) || type->kind() == TypeKind::TupleType || type->kind() == TypeKind::DictType) return {"list"};
  call.fail("the " + name + " of " + call.words_of(value) + " is not known in a program");
}

}  // namespace

SugaredValuePtr class_of(Call& call) {
  if (call.inputs.size() + call.named.size() != 1) call.fail("`" + call.payload + "()` takes one value");
  const auto words = classes_of(call, call.inputs.empty() ? call.named[0].second : call.inputs[0], call.payload);
  if (words.size() == 1) return call.give(call.constant(words[0]));
  return call.give(call.constant(c10::List<std::string>(words)));
}

// `inherits(x, what)`.
SugaredValuePtr inherits(Call& call) {
  std::vector<Value*> values(2, nullptr);
  for (const auto& it : call.named) {
    if (it.first != "x" && it.first != "what") call.fail("`inherits()` has no argument `" + it.first + "` in a program");
    values[it.first == "what"] = it.second;
  }
  for (auto* value : call.inputs) {
    if (values[0] && values[1]) call.fail("`inherits()` takes a value and names of classes");
    values[values[0] != nullptr] = value;
  }
  if (!values[0] || !values[1]) call.fail("`inherits()` takes a value and names of classes");
  const auto asked = known_strings(values[1]);
  if (!asked) call.fail("the classes that `inherits()` asks for must be written as strings in a program");
  const auto words = classes_of(call, values[0], "class");
  const bool is_one = std::any_of(asked->begin(), asked->end(), [&](const std::string& one) {
    return std::find(words.begin(), words.end(), one) != words.end();
  });
  return call.give(call.constant(is_one));
}

namespace {

bool has_tensor(const Call& call) {
  const auto optional = c10::OptionalType::create(c10::TensorType::get());
  for (auto* value : call.inputs)
    if (value->type()->isSubtypeOf(*optional) || (is_list(value) && element_type(value)->isSubtypeOf(*optional)))
      return true;
  for (const auto& it : call.named)
    if (it.second->type()->isSubtypeOf(*optional)) return true;
  return false;
}

// The dtype that `torch_float()` and its like give. NULL if the call is none of these.
Value* dtype_made(Call& call) {
  if (call.payload.rfind("torch_", 0) != 0 || !call.inputs.empty() || !call.named.empty()) return nullptr;
  const auto named = builtin_name("torch", call.function, call.place);
  try {
    auto* value = named->attr(call.place, call.function, call.payload.substr(6))->asValue(call.place, call.function);
    return value->type()->kind() == TypeKind::IntType ? value : nullptr;
  } catch (const ErrorReport&) {
    return nullptr;
  }
}

}  // namespace

namespace {

// Members of enums can be compared with each other and with their names, as in R. NULL if no side is a member of an
// enum.
Value* compare_members(Call& call) {
  const bool equal = call.payload == "==";
  if ((!equal && call.payload != "!=") || call.inputs.size() != 2) return nullptr;
  std::vector<Value*> sides(call.inputs.begin(), call.inputs.end());
  const auto is_member = [](const Value* value) { return value->type()->kind() == TypeKind::EnumType; };
  if (!is_member(sides[0]) && !is_member(sides[1])) return nullptr;
  if (*sides[0]->type() != *sides[1]->type())
    for (Value*& side : sides)
      if (is_member(side)) side = call.graph().insertNode(call.graph().createEnumName(side))->output();
  return call.graph().insert(equal ? c10::aten::eq : c10::aten::ne, {sides[0], sides[1]});
}

// `max(a, b, v, 3)`: R's summaries take all of their arguments as one vector. Single numbers need none, and of tensors
// each is summed up by itself.
// NULL if the call is none of these.
Value* call_of_all(const Call& call) {
  // What joins two numbers, and two tensors.
  static const std::map<std::string, std::pair<const char*, const char*>> summaries = {
      {"sum", {"+", "aten::add"}},
      {"prod", {"", "aten::mul"}},
      {"min", {"pmin", "aten::minimum"}},
      {"max", {"pmax", "aten::maximum"}},
      {"any", {"", "aten::logical_or"}},
      {"all", {"", "aten::logical_and"}},
      {"range", {"", ""}}};
  const auto found = summaries.find(call.payload);
  if (found == summaries.end() || call.inputs.size() < 2 || !call.named.empty()) return nullptr;
  bool tensors = false, numbers = *found->second.first;
  for (auto* value : call.inputs) {
    const auto kind = value->type()->kind();
    if (kind == TypeKind::TupleType) return nullptr;
    tensors = tensors || is_tensor(value);
    numbers = numbers && (kind == TypeKind::IntType || kind == TypeKind::FloatType);
  }
  if (tensors && !*found->second.second) return nullptr;
  if (!tensors && !numbers) {
    Call all = call.with("c", call.inputs);
    return call.builtin(call.payload, {combine(all)->asValue(call.place, call.function)});
  }
  Value* out = nullptr;
  auto* tensor = first_tensor(call.inputs);
  for (auto* value : call.inputs) {
    auto* one = is_tensor(value) || is_list(value) ? call.builtin(call.payload, {value}) : value;
    if (tensors) one = call.as_beside(one, c10::TensorType::get(), tensor);
    if (!out)
      out = one;
    else
      out = tensors ? call.op(found->second.second, {out, one}) : call.builtin(found->second.first, {out, one});
  }
  return out;
}

// To summaries NULL is a vector without elements, in R too. A variable that is NULL first may become something else.
void read_summary(Call& call) {
  static const std::set<std::string> summaries = {"sum", "prod", "min", "max", "mean", "range", "any", "all"};
  if (!summaries.count(call.payload)) return;
  // Names of values mean nothing here, as `do.call(sum, list(a = 1))` gives them.
  static const std::set<std::string> options = {"na.rm", "dim", "keepdim", "dtype", "trim"};
  const auto is_value = [](const auto& it) { return !options.count(it.first); };
  for (const auto& it : call.named)
    if (is_value(it)) call.inputs.push_back(it.second);
  std::erase_if(call.named, is_value);
  const bool is_logical = call.payload == "any" || call.payload == "all";
  const TypePtr element = is_logical ? TypePtr(c10::BoolType::get()) : TypePtr(c10::FloatType::get());
  for (auto*& value : call.inputs)
    if (value->type()->kind() == TypeKind::NoneType) value = list_of(call, element, {});
}

// Of `sum(x, na.rm = TRUE)` and its like takes NaN out of vectors, and the flag of the call.
void leave_out_nan(Call& call) {
  static const std::set<std::string> summaries = {"sum", "prod", "min",    "max", "mean", "range",
                                                  "any", "all",  "median", "var", "sd",   "quantile", "IQR", "mad"};
  const auto flag =
      std::find_if(call.named.begin(), call.named.end(), [](const auto& it) { return it.first == "na.rm"; });
  if (flag == call.named.end() || !summaries.count(call.payload) || first_tensor(call.inputs)) return;
  const auto known = known_value(flag->second);
  if (!known || !known->isBool()) call.fail("`na.rm` must be TRUE or FALSE in a program");
  call.named.erase(flag);
  if (!known->toBool()) return;
  for (auto*& value : call.inputs) {
    value = call.or_empty(value);
    if (value->type()->kind() == TypeKind::FloatType) value = list_of(call, c10::FloatType::get(), {value});
    if (is_list(value) && element_type(value)->kind() == TypeKind::FloatType)
      value = call.builtin("inner:without_nan", {value});
  }
}

// Compiles a call by a name. `known`: what the host says of the name, NULL if it knows nothing.
SugaredValuePtr call_known(Call& call, const ts_known* known) {
  const std::string name = call.payload;
  if (known && !known->is_function && !has_builtin(name) && !handler_of(name))
    call.fail("`" + name + "` is no function");
  if (known && known->callable) {
    std::vector<NamedValue> inputs(call.inputs.begin(), call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(identifiers({it.first}).front(), it.second);
    if (known->callable->makes)
      return ClassValue(known->callable->makes).call(call.place, call.function, inputs, named, 1);
    return FunctionValue(known->callable->function).call(call.place, call.function, inputs, named, 1);
  }
  // A function of the user's that has the name of a builtin is the one that is called.
  const bool is_builtin = !known || !known->is_function || known->builtin;
  if (is_builtin) {
    if (auto* same = compare_members(call)) return call.give(same);
    if (known && known->builtin) call.payload = known->builtin;
    const auto colons = call.payload.rfind("::");
    if (colons != std::string::npos && colons + 2 < call.payload.size()) call.payload = call.payload.substr(colons + 2);
    read_summary(call);
    leave_out_nan(call);
    if (const auto handler = handler_of(call.payload)) return handler(call);
  }
  std::string why;
  if (known && known->operator_at >= 0 && has_tensor(call)) {
    if (auto value = call_operator(call, call.compiler.operator_at(known->operator_at), &why)) return value;
  }
  if (is_builtin) {
    std::string other;
    if (auto* value = call_builtin(call, &other)) return call.give(value);
    if (auto* value = call_of_all(call)) return call.give(value);
    if (why.empty()) why = other;
    if (auto* value = dtype_made(call)) return call.give(value);
  }
  // Beside a function of R's stands its method for tensors.
  const bool is_method = known && (known->builtin || known->refused);
  if (known && known->closure_at >= 0 && (!is_method || has_tensor(call)))
    return call.give(call.compiler.call(call, call.compiler.closure(known->closure_at)));
  if (known && known->operator_at >= 0 && why.empty()) {
    if (auto value = call_operator(call, call.compiler.operator_at(known->operator_at), &why)) return value;
  }
  if (!why.empty()) call.fail(why);
  if (known && known->refused) call.fail("`" + name + "()` " + known->refused);
  call.fail("there is no function `" + name + "` that a program can call");
}

// Compiles the call of a function that is a value. It is the first input.
SugaredValuePtr call_value(Call& call, const Callee& callee) {
  const auto parts = createTupleUnpack(call.inputs.at(0));
  call.inputs.erase(call.inputs.begin());
  for (size_t i = 0; i < callee.captured.size(); ++i) call.named.emplace_back(callee.captured[i], parts[i + 1]);
  for (const auto& it : callee.constants) call.named.emplace_back(it.first, call.constant(it.second));
  if (callee.local) return call.give(call.compiler.call(call, *callee.local));
  call.payload = callee.name;
  return call_known(call, callee.known);
}

}  // namespace

SugaredValuePtr call_function(Call& call) { return call_known(call, call.compiler.known(call.instance, call.payload)); }

SugaredValuePtr call_local(Call& call) {
  return call.give(call.compiler.call(call, call.compiler.local(std::stoul(call.payload))));
}

SugaredValuePtr call_super(Call& call) { return call.give(call.compiler.call_super(call, call.payload)); }

SugaredValuePtr function_value(Call& call) {
  auto& local = call.compiler.local(std::stoul(call.payload));
  return call.give(call.compiler.function_value(call, {&local, nullptr, local.name, {}, {}}, call.named));
}

// `do.call(f, arguments)`: the last input is the list of arguments. The payload is the kind and payload of the call of
// f.
SugaredValuePtr spread(Call& call) {
  auto* list = call.inputs.back();
  call.inputs.pop_back();
  const auto colon = call.payload.find(':');
  const std::string kind = call.payload.substr(0, colon);
  call.payload = call.payload.substr(colon + 1);
  // `do.call(c, lapply(...))` needs no known number of elements.
  const bool combines =
      kind == "call" && call.payload == "c" && call.inputs.empty() && call.named.empty() && is_list(list);
  if (combines && !elements_known(list))
    return call.give(element_type(list)->kind() == TypeKind::ListType ? call.builtin("unlist", {list}) : list);
  for (const auto& part : parts_with_names(call, list)) {
    if (part.first.empty()) {
      call.inputs.push_back(part.second);
    } else {
      call.named.push_back(part);
    }
  }
  return emit(kind, call);
}

namespace {

// The functions of a list, or the children of a module: how many there are, and how to get one.
struct Callables {
  size_t n = 0;
  std::function<Value*(size_t)> get;
};

std::optional<Callables> callables_of(const Call& call, Value* whole) {
  if (const auto tuple = whole->type()->cast<c10::TupleType>(); tuple && !call.compiler.callee_of(tuple)) {
    const auto types = tuple->elements().vec();
    for (const auto& type : types)
      if (!is_function(type)) return std::nullopt;
    return Callables{
        types.size(), [&call, whole, types](size_t i) {
          return call.graph()
              .insertNode(call.graph().createTupleIndex(whole, call.constant(static_cast<int64_t>(i)), types[i]))
              ->output();
        }};
  }
  const auto type = whole->type()->cast<c10::ClassType>();
  if (!type || !type->is_module()) return std::nullopt;
  const auto children = children_of(*type);
  return Callables{
      children.size(), [&call, whole, children](size_t i) {
        return SimpleValue(whole).attr(call.place, call.function, children[i])->asValue(call.place, call.function);
      }};
}

// A chain of branches, each of which calls one of the functions, from the i-th on. `at` is from 1 to their number.
Value* call_one_of(const Call& call, const Callables& all, size_t i, Value* at) {
  const auto called = [&] {
    Call inner = call;
    inner.inputs.insert(inner.inputs.begin(), all.get(i));
    return invoke(inner)->asValue(call.place, call.function);
  };
  if (i + 1 == all.n) return called();
  auto& graph = call.graph();
  auto* node = graph.insertNode(
      graph.create(c10::prim::If, {call.op("aten::eq", {at, call.constant(static_cast<int64_t>(i + 1))})}, 0));
  node->setSourceRange(call.place);
  Value* given[2];
  for (const bool here : {true, false}) {
    auto* block = node->addBlock();
    const torch::jit::WithInsertPoint inside(block);
    given[!here] = here ? called() : call_one_of(call, all, i + 1, at);
    block->registerOutput(given[!here]);
  }
  if (!(*given[0]->type() == *given[1]->type()))
    call.fail("which of these is called is known only when the program runs, and one gives " + call.words_of(given[0]) +
              ", another one " + call.words_of(given[1]));
  return node->addOutput()->setType(given[0]->type());
}

}  // namespace

// `functions[[i]](x)`, `self$layers[[i]](x)`: the inputs are the list or module, the position, and the arguments.
SugaredValuePtr invoke_element(Call& call) {
  auto* whole = call.inputs.at(0);
  auto* at = call.inputs.at(1);
  call.inputs.erase(call.inputs.begin(), call.inputs.begin() + 2);
  const auto known = known_value(at);
  const auto all = known ? std::nullopt : callables_of(call, whole);
  // A variable that holds no function: R looks for one elsewhere.
  if (!known && !all && !call.payload.empty()) return call_function(call);
  if (all) {
    if (all->n == 0) call.fail("there is nothing to call here");
    auto* position =
        call.builtin("inner:within", {call.whole(at, "a position"), call.constant(static_cast<int64_t>(all->n))});
    return call.give(call_one_of(call, *all, 0, position));
  }
  Call element = call.with("v", {whole, at});
  call.inputs.insert(call.inputs.begin(), get_element(element));
  return invoke(call);
}

// A call of a variable, which is the first input. If it holds neither a module nor a function, R looks for a function
// of that name elsewhere.
SugaredValuePtr invoke(Call& call) {
  if (const auto* callee = call.compiler.callee_of(call.inputs.at(0)->type())) return call_value(call, *callee);
  if (call.inputs.at(0)->type()->kind() == TypeKind::ClassType) {
    if (auto* value = call.compiler.call_method(call, "forward")) return call.give(value);
    call.fail("`" + call.payload + "` has no `forward`");
  }
  if (call.inputs[0]->type()->kind() == TypeKind::TupleType)
    call.fail("which function this is must be known before the program runs: call each where it is chosen");
  if (call.payload.empty()) call.fail("what is called here is no function: it is " + call.words_of(call.inputs[0]));
  call.inputs.erase(call.inputs.begin());
  return call_function(call);
}

}  // namespace shim::script
