#include "to-value.h"

#include "kinds.h"
#include "reader.h"
#include "trace.h"
#include "value.h"

int cost(SEXP x, const ts_type& type, uint8_t flags) {
  if (tracing && is_size(x)) x = size_numbers(x);
  return kind_of(type).cost(x, type, flags);
}

bool read_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper, ts_value* out, Misfit* why) {
  return Reader(flags, what, keeper, why).read(x, type, out);
}

ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper) {
  // A shortcut for what operators get most often.
  if (type.kind == TS_KIND_TENSOR && !(flags & kIndexTensor) && is_tensor(x))
    return handle_value(TS_TENSOR, tensor_of(x, what));
  ts_value value;
  Misfit why;
  if (!read_value(x, type, flags, what, keeper, &value, &why)) fail("type_error", "%s", misfit_message(why, what));
  return value;
}

ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper) {
  ts_value value;
  Misfit why;
  if (!Reader(kStrict, what, keeper, &why).read_natural(x, &value))
    fail("type_error", "%s%s", why.type->kind == TS_KIND_ANY ? "Unsupported type: " : "", misfit_message(why, what));
  return value;
}
