// A FunctionSchema as plain C data that lives as long as its callable.
#pragma once
#include "core/value.h"

namespace shim {

ts_kind kind_of(const c10::Type& type);

class Schema {
 public:
  // `skip` leading arguments, such as the `self` of a method, are hidden from the host.
  void build(const c10::FunctionSchema& schema, size_t skip);
  const ts_schema* view() const { return &view_; }

 private:
  const ts_type* add_type(const c10::TypePtr& type, int32_t length);
  ts_argument add_argument(const c10::Argument& argument);
  const char* keep(std::string text);

  ts_schema view_{};
  std::deque<std::string> strings_;
  std::deque<ts_type> types_;
  std::deque<std::vector<const ts_type*>> items_;
  std::deque<std::vector<const char*>> names_;
  std::vector<c10::TypePtr> kept_;  // keeps alive what ts_type::own points to
  std::vector<ts_argument> arguments_, returns_;
};

}  // namespace shim
