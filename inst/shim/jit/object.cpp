// Instances of TorchScript classes, and other values that R holds by reference.
#include "core/callable.h"

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

c10::intrusive_ptr<c10::ivalue::Object> instance(ts_object* object) {
  TORCH_CHECK(object->value.isObject(), "a ", object->value.type()->annotation_str(), " has neither attributes nor methods");
  return object->value.toObject();
}

std::vector<std::string> members(const c10::ClassType& type, int part) {
  std::vector<std::string> names;
  switch (part) {
    case TS_OBJECT_ATTRIBUTES:
      for (const auto& attribute : type.getAttributes()) names.push_back(attribute.getName());
      break;
    case TS_OBJECT_PROPERTIES:
      for (const auto& property : type.properties()) names.push_back(property.name);
      break;
    default:
      for (const auto* method : type.methods()) names.push_back(method->name());
  }
  return names;
}

// A function that sets an attribute. Its argument has the attribute's type, so that it is converted and checked like
// any argument.
ts_callable* new_setter(const c10::intrusive_ptr<c10::ivalue::Object>& self, size_t slot) {
  const auto type = self->type();
  const std::string name = type->name()->name() + "$" + type->getAttributeName(slot);
  const c10::FunctionSchema schema(name, "", {c10::Argument("value", type->getAttribute(slot))}, {});
  return new ts_callable(schema, [self, slot](torch::jit::Stack& stack) {
    self->setSlot(slot, std::move(stack.back()));
    stack.pop_back();
  });
}

}  // namespace

void ts_object_release(ts_object* object) { delete object; }

int ts_value_fits(const ts_value* value, const ts_type* type) {
  bool fits = false;
  guarded([&] {
    fits = shim::to_natural_ivalue(*value).type<c10::Type>()->isSubtypeOf(*static_cast<const c10::Type*>(type->own));
  });
  return fits;
}

int ts_object_describe(ts_object* object, int part, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    if (part == TS_OBJECT_TYPE) {
      const auto type = object->value.type<c10::Type>();
      const auto class_type = type->cast<c10::ClassType>();
      value = shim::string_value(class_type ? class_type->name()->name() : type->annotation_str(), own);
    } else {
      value = shim::string_list(object->value.isObject() ? members(*instance(object)->type(), part)
                                                         : std::vector<std::string>(),
                                own);
    }
  });
}

int ts_object_attribute(ts_object* object, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto self = instance(object);
    const size_t slot = self->type()->getAttributeSlot(name);
    shim::from_ivalue(self->getSlot(slot), self->type()->getAttribute(slot).get(), value, own);
  });
}

int ts_object_member(ts_object* object, const char* name, int member, ts_callable** out) {
  return guarded([&] {
    const auto self = instance(object);
    const auto type = self->type();
    if (member == TS_MEMBER_SETTER) {
      if (const auto slot = type->findAttributeSlot(name)) {
        *out = new_setter(self, *slot);
        return;
      }
    }
    torch::jit::Function* function = nullptr;
    if (member == TS_MEMBER_METHOD) {
      function = type->findMethod(name);
    } else if (const auto property = type->getProperty(name)) {
      function = member == TS_MEMBER_GETTER ? property->getter : property->setter;
    }
    *out = function ? new ts_callable(function, self) : nullptr;
  });
}

int ts_future_wait(ts_object* object, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    TORCH_CHECK(object->value.isFuture(), "this is no future");
    const auto future = object->value.toFuture();
    const shim::Stoppable here;
    shim::wait_for(*future);
    future->waitAndThrow();
    shim::from_ivalue(future->value(), future->elementType().get(), value, own);
  });
}

int ts_future_done(ts_object* object, int* out) {
  return guarded([&] {
    TORCH_CHECK(object->value.isFuture(), "this is no future");
    *out = object->value.toFuture()->completed();
  });
}
