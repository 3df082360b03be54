// The types that values in files claim to have. LibTorch's unpickler believes what a file says of the type of a list or
// the class of an object. Code that was compiled for these types would then read memory that is not there.
#pragma once
#include "core/pch.h"

#include <unordered_set>

namespace shim {

class Claims {
 public:
  // Throws if the value, or anything that it holds, is not of the type. `what` names the value in the message.
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
  // Whether a value holds what its own type claims.
  bool is_honest(const c10::IValue& value);
  bool holds_what_it_claims(const c10::IValue& value);
  bool items_fit(const c10::IValue& tuple, const c10::Type& type);
  bool is_new(const void* holder, const c10::Type* type) { return seen_.insert({holder, type}).second; }

  // Pairs that were looked at: a value that holds others, and the type that it was compared with (NULL: its own). After
  // one value that claims something wrong, honest_ is false for good.
  std::unordered_set<Pair, Hash> seen_;
  bool honest_ = true;
};

}  // namespace shim
