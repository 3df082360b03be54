#include "misfit.h"

#include <cstring>

#include "kinds.h"
#include "values.h"

namespace {
void list_names(const ts_type& type, const char* quote, Text& out) {
  for (size_t i = 0; i < type.n_names; ++i) out << (i ? ", " : "") << quote << type.names[i] << quote;
}
}  // namespace

void describe_optional(const ts_type& type, Text& out) {
  out << "NULL or ";
  describe(*type.items[0], out);
}
void describe_list(const ts_type& type, Text& out) {
  if (const char* words = kind_of(*type.items[0]).list_words) {
    out << words;
    return;
  }
  out << "a list, each element ";
  describe(*type.items[0], out);
}
void describe_tuple(const ts_type& type, Text& out) {
  if (type.names) {
    out << "a list with the fields ";
    list_names(type, "`", out);
  } else {
    out << "a list of length " << type.n;
  }
}
void describe_dict(const ts_type& type, Text& out) {
  out << (type.items[0]->kind == TS_KIND_STRING ? "a named list" : "a dict made by `jit_dict()`") << ", each value ";
  describe(*type.items[1], out);
}
void describe_enum(const ts_type& type, Text& out) {
  out << "one of ";
  list_names(type, "\"", out);
}
void describe_future(const ts_type& type, Text& out) {
  out << "a future, or ";
  describe(*type.items[0], out);
}
void describe_union(const ts_type& type, Text& out) {
  for (size_t i = 0; i < type.n; ++i) {
    out << (i ? " or " : "");
    describe(*type.items[i], out);
  }
}
void describe_object(const ts_type& type, Text& out) { out << "an instance of " << class_name(type); }
void describe_by_name(const ts_type& type, Text& out) { out << type_text(type); }

void describe(const ts_type& type, Text& out) {
  const ValueKind& kind = kind_of(type);
  if (kind.words)
    out << kind.words;
  else
    kind.describe(type, out);
}

const char* friendly(SEXP x) { return CHAR(STRING_ELT(call_package("friendly_type", x), 0)); }

const char* type_text(const ts_type& type) {
  // Writes "List[__torch__.net.___torch_mangle_1.Point]" as "List[Point]".
  const size_t n = std::strlen(type.text);
  char* out = R_alloc(n + 1, 1);
  size_t at = 0;
  for (const char* from = type.text; *from;) {
    size_t word = std::strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (word == 0) {
      out[at++] = *from++;
      continue;
    }
    size_t skip = 0;
    if (std::strncmp(from, "__torch__.", 10) == 0)
      for (size_t i = 0; i < word; ++i)
        if (from[i] == '.') skip = i + 1;
    std::memcpy(out + at, from + skip, word - skip);
    at += word - skip;
    from += word;
  }
  out[at] = '\0';
  return out;
}

const char* misfit_hint(SEXP x, const ts_type& type) {
  const ts_type& inner = type.kind == TS_KIND_OPTIONAL ? *type.items[0] : type;
  if ((inner.kind == TS_KIND_TENSOR || (inner.kind == TS_KIND_LIST && inner.items[0]->kind == TS_KIND_TENSOR)) && is_atomic_data(x))
    return " Use `torch_tensor()` to make a tensor of it.";
  if ((inner.kind == TS_KIND_OBJECT || inner.kind == TS_KIND_ANY) && TYPEOF(x) == CLOSXP && has_class(x, "nn_module"))
    return " Use `jit_trace()` to make a script module of it.";
  if (is_coded(x))
    return has_class(x, "factor") ? " Use `as.integer()` or `as.character()`." : has_class(x, "R7") ? "" : " Use `as.numeric()`.";
  return "";
}

const char* misfit_message(const Misfit& why, const char* what) {
  constexpr size_t size = 1000;
  char* wanted = R_alloc(size, 1);
  Text into(wanted, size);
  describe(*why.type, into);
  // For these kinds the words say as much as the name of the type does.
  const ts_kind kind = why.type->kind;
  if (kind != TS_KIND_TENSOR && kind != TS_KIND_ANY && kind != TS_KIND_OBJECT) into << " (" << type_text(*why.type) << ")";
  const char* given = friendly(why.x);
  const size_t length = std::strlen(what) + std::strlen(given) + size + 600;
  char* out = R_alloc(length, 1);
  Text(out, length) << "`" << what << why.path << "` must be " << wanted << ", not " << given << "." << why.note << misfit_hint(why.x, *why.type);
  return out;
}
