// What values in files claim to be. LibTorch's unpickler takes a file's word for the type of a list and the class of an
// object; code that was compiled for these types then reads what is not there.
#pragma once
#include "core/pch.h"

#include <unordered_set>

namespace shim {

class Claims {
 public:
  // Throws, with `what` the value is, if it or what it holds is of another type.
  void check(const c10::IValue& value, const c10::TypePtr& type, const std::string& what);

 private:
  struct Pair {
    const void *holder, *type;
    bool operator==(const Pair& other) const { return holder == other.holder && type == other.type; }
  };
  struct Hash {
    size_t operator()(const Pair& it) const {
      return std::hash<const void*>()(it.holder) * 31 + std::hash<const void*>()(it.type);
    }
  };

  bool fits(const c10::IValue& value, const c10::Type& type);
  // Whether the value is what it claims to be itself.
  bool is_honest(const c10::IValue& value);
  bool holds_what_it_claims(const c10::IValue& value);
  bool items_fit(const c10::IValue& tuple, const c10::Type& type);
  bool is_new(const void* holder, const c10::Type* type) { return seen_.insert({holder, type}).second; }

  // Each holder is looked at once for a type (NULL: for what it claims itself). One that was not honest makes all so.
  std::unordered_set<Pair, Hash> seen_;
  bool honest_ = true;
};

}  // namespace shim
