// Reads programs from files and from memory. This does what torch::jit::load() does, with the same parts of LibTorch,
// but checks each piece before anything runs. Code may run while a file is read: a class may have a `__setstate__`,
// which makes its instances.
#include <torch/csrc/jit/serialization/import_read.h>
#include <torch/csrc/jit/serialization/import_source.h>

#include <algorithm>
#include <unordered_set>

#include "core/stack.h"
#include "guard/archive.h"
#include "guard/casts.h"
#include "guard/claims.h"
#include "guard/codes.h"
#include "guard/depth.h"
#include "guard/pickle.h"
#include "guard/program.h"
#include "guard/rules.h"
#include "jit/module.h"
#include "jit/ranges.h"

// Some distributions of LibTorch lack the header of this function.
namespace torch::jit {
TORCH_API void populate_upgraders_graph_map();
}

using shim::Arena;
using shim::guarded_result;

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// In files tuples have no names. This gives each the type that the code has for it, and to those inside of it as well.
c10::IValue with_names(const c10::IValue& value, const c10::TypePtr& type) {
  if (const auto optional = type->cast<c10::OptionalType>()) return value.isNone() ? value : with_names(value, optional->getElementType());
  const auto tuple = type->cast<c10::TupleType>();
  if (tuple && value.isTuple()) {
    std::vector<c10::IValue> items = value.toTupleRef().elements().vec();
    const auto& types = tuple->elements();
    if (items.size() != types.size()) return value;
    for (size_t i = 0; i < items.size(); ++i) items[i] = with_names(items[i], types[i]);
    return tuple->schema() ? c10::IValue(c10::ivalue::Tuple::createNamed(std::move(items), tuple))
                           : c10::IValue(c10::ivalue::Tuple::create(std::move(items)));
  }
  const auto list = type->cast<c10::ListType>();
  if (list && value.isList() && list->getElementType()->kind() == c10::TypeKind::TupleType) {
    auto items = value.toList();
    for (size_t i = 0; i < items.size(); ++i) items.set(i, with_names(items.get(i), list->getElementType()));
  }
  return value;
}

class ProgramReader {
 public:
  ProgramReader(std::shared_ptr<shim::Archive> archive, std::optional<c10::Device> device, bool allow_files)
      : archive_(std::move(archive)), device_(device), allow_files_(allow_files) {}

  // Checks everything but the bytes of tensors. Returns how many bytes of stack reading needs.
  size_t check_files() {
    shim::Code code("its");
    for (const shim::Entry& entry : archive_->entries()) {
      const std::string name = entry.name.substr(archive_->root().size() + 1);
      const bool is_values = name == "data.pkl" || name == "constants.pkl";
      const bool is_code = name.compare(0, 5, "code/") == 0;
      if (!is_values && !is_code && !entry.is_packed()) continue;
      std::string contents = archive_->contents(entry);
      if (is_code && ends_with(name, ".py")) {
        std::string package = name.substr(5, name.size() - 8);
        std::replace(package.begin(), package.end(), '/', '.');
        code.read(contents, package);
      } else if (is_values || (is_code && ends_with(name, ".debug_pkl"))) {
        // The tensors of data.pkl are records in the folder data.
        const std::string folder = name.substr(0, name.rfind('.')) + "/";
        shim::check_pickle(contents, [&](const std::string& key) -> int64_t {
          const shim::Entry* record = archive_->find(folder + key);
          return record ? static_cast<int64_t>(record->size) : -1;
        });
      }
      if (is_code) code_[name] = std::move(contents);
    }
    code.check_classes();
    return code.stack();
  }

  torch::jit::Module read() {
    // Lets LibTorch replace operators that have changed since the file was written.
    torch::jit::populate_upgraders_graph_map();
    importer_ = std::make_unique<torch::jit::SourceImporter>(
        unit_, &constants_, [this](const std::string& qualifier) { return source_of(qualifier); },
        archive_->reader().version());
    const auto constants = values_of("constants");
    TORCH_CHECK(constants.isTuple(), "its values are damaged: the constants are no tuple");
    for (const auto& constant : constants.toTupleRef().elements()) {
      claims_.check(constant, c10::AnyType::get(), "a constant");
      constants_.push_back(constant);
    }
    const auto data = values_of("data");
    TORCH_CHECK(data.isObject(), "its values are damaged: they are no module");
    const torch::jit::Module module(data.toObject());
    TORCH_CHECK(module.type()->is_module(), "its values are damaged: they are no module");
    check_code();
    claims_.check(data, module.type(), "the module");
    return module;
  }

 private:
  std::shared_ptr<torch::jit::Source> source_of(const std::string& qualifier) {
    std::string name = "code/" + qualifier;
    std::replace(name.begin() + 5, name.end(), '.', '/');
    name += ".py";
    const auto found = code_.find(name);
    if (found == code_.end()) return nullptr;
    const auto ranges = code_.find(name + ".debug_pkl");
    return shim::make_source(found->second, name, ranges == code_.end() ? "" : ranges->second);
  }

  c10::IValue values_of(const std::string& archive) {
    const torch::jit::TypeResolver type = [this](const c10::QualifiedName& name) {
      return c10::StrongTypePtr(unit_, importer_->loadType(name));
    };
    const torch::jit::ObjLoader object = [this](const c10::StrongTypePtr& type, c10::IValue state) {
      return object_of(type, std::move(state));
    };
    const std::string folder = archive + "/";
    auto& reader = archive_->reader();
    if (device_) return torch::jit::readArchiveAndTensors(archive, "", folder, type, object, *device_, reader);
    return torch::jit::readArchiveAndTensors(archive, "", folder, type, object, {}, reader);
  }

  c10::intrusive_ptr<c10::ivalue::Object> object_of(const c10::StrongTypePtr& type, c10::IValue state) {
    const auto cls = type.type_->expect<c10::ClassType>();
    const size_t n = cls->numAttributes();
    auto object = c10::ivalue::Object::create(type, n);
    auto* setter = cls->findMethod("__getstate__") ? cls->findMethod("__setstate__") : nullptr;
    const std::string name = c10::str("an instance of ", cls->repr_str());
    if (setter) {
      const auto& arguments = setter->getSchema().arguments();
      TORCH_CHECK(arguments.size() == 2, "its `__setstate__` takes something else than a state");
      claims_.check(state, arguments[1].type(), c10::str("the state of ", name));
      check_code();
      // Without the optimizer: it would optimise `__setstate__` for instances whose values are not there yet.
      const torch::jit::GraphOptimizerEnabledGuard as_it_is(false);
      (*setter)({object, std::move(state)});
    } else {
      TORCH_CHECK(state.isGenericDict(), "its values are damaged: ", name, " has no fields");
      const auto fields = state.toGenericDict();
      for (size_t i = 0; i < n; ++i) {
        const auto field = fields.find(cls->getAttributeName(i));
        TORCH_CHECK(field != fields.end(), "its values are damaged: ", name, " has no field `",
                    cls->getAttributeName(i), "`");
        const bool is_missing_tensor =
            field->value().isNone() && cls->getAttribute(i)->kind() == c10::TypeKind::TensorType;
        object->setSlot(i, is_missing_tensor ? c10::IValue(at::Tensor()) : with_names(field->value(), cls->getAttribute(i)));
      }
    }
    return object;
  }

  // Checks the functions that were compiled since the last check.
  void check_code() {
    shim::check_calls(*unit_, "its");
    for (auto* function : unit_->get_functions()) {
      auto* with_graph = torch::jit::tryToGraphFunction(*function);
      if (!with_graph || !checked_.insert(function).second) continue;
      shim::settle_casts(*with_graph->graph());
      shim::check_operators(*with_graph->graph(), allow_files_, "it");
      shim::check_codes(*with_graph->graph());
    }
  }

  std::shared_ptr<shim::Archive> archive_;
  std::optional<c10::Device> device_;
  bool allow_files_;
  std::unordered_map<std::string, std::string> code_;  // by name in the archive
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
  std::vector<c10::IValue> constants_;
  std::unique_ptr<torch::jit::SourceImporter> importer_;
  shim::Claims claims_;
  std::unordered_set<torch::jit::Function*> checked_;
};

void give_extra_files(shim::Archive& archive, ts_value& out, Arena& own) {
  const std::string folder = archive.root() + "/extra/";
  std::vector<const shim::Entry*> files;
  for (const shim::Entry& entry : archive.entries())
    if (entry.name.compare(0, folder.size(), folder) == 0 && entry.name.back() != '/') files.push_back(&entry);
  out.tag = TS_DICT;
  out.len = static_cast<int64_t>(files.size());
  out.as.items = own.get().new_items(2 * files.size());
  size_t i = 0;
  for (const auto* file : files) {
    out.as.items[i++] = shim::string_value(file->name.substr(folder.size()), own);
    out.as.items[i++] = shim::string_value(archive.contents(*file), own);
  }
}

void load_module(std::unique_ptr<shim::Bytes> bytes, const char* device, int allow_files, ts_module** out,
                 ts_value& extra, Arena& own) {
  const auto archive = std::make_shared<shim::Archive>(std::move(bytes));
  archive->require_program();
  std::optional<c10::Device> place;
  if (device) place = c10::Device(device);
  ProgramReader reader(archive, place, allow_files != 0);
  const size_t stack = reader.check_files();
  std::optional<torch::jit::Module> module;
  shim::with_stack(stack, [&] {
    try {
      module = reader.read();
    } catch (...) {
      archive->throw_failure();
      throw;
    }
  });
  archive->check_rest();
  give_extra_files(*archive, extra, own);
  *out = new ts_module{*module};
}

}  // namespace

int ts_module_load(const char* path, const char* device, int allow_files, ts_module** out, ts_value* extra,
                   ts_arena** arena) {
  return guarded_result(extra, arena, [&](ts_value& value, Arena& own) {
    load_module(std::make_unique<shim::FileBytes>(path), device, allow_files, out, value, own);
  });
}

int ts_module_unserialize(const void* data, size_t n, const char* device, int allow_files, ts_module** out,
                          ts_value* extra, ts_arena** arena) {
  return guarded_result(extra, arena, [&](ts_value& value, Arena& own) {
    load_module(std::make_unique<shim::MemoryBytes>(data, n), device, allow_files, out, value, own);
  });
}
