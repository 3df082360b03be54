// Checks data in R's serialization format before R reads it. R allocates whatever sizes the data claims, takes code for
// data, and runs methods that packages have for their own classes. So lengths must fit the data, and only what is
// listed here may be in it.
#include <climits>
#include <cmath>
#include <cstring>
#include <initializer_list>

#include "depth.h"
#include "r.h"
#include "status.h"

namespace {

// Types that exist only in this format; see serialize.c of R.
enum StreamType {
  kRef = 255,
  kNil = 254,
  kGlobalEnv = 253,
  kUnbound = 252,
  kMissing = 251,
  kBaseNamespace = 250,
  kNamespace = 249,
  kPackage = 248,
  kPersist = 247,
  kEmptyEnv = 242,
  kBaseEnv = 241,
  kAttributedLang = 240,
  kAttributedList = 239,
  kAltrep = 238,
  kCodeDefinition = 244,
  kCodeReference = 243
};

// R's types of objects, where the surrounding object depends on them. What a mark stands for only its maker knows.
enum Type {
  kNull = 0,
  kSymbolType = 1,
  kList = 2,
  kClosure = 3,
  kEnvironment = 4,
  kPromise = 5,
  kCall = 6,
  kLogical = 10,
  kInteger = 13,
  kDouble = 14,
  kComplex = 15,
  kString = 16,
  kDotsType = 17,
  kVector = 19,
  kExpression = 20,
  kCode = 21,
  kPointer = 22,
  kRaw = 24
};

// An object that was read: its type, for a vector the number of elements, and for numbers where they lie or, for a
// sequence, its first number and its step.
struct Item {
  int type;
  double length = 0;
  const unsigned char* data = nullptr;
  double first = 0, step = 0;
};

class Walker {
 public:
  Walker(const unsigned char* bytes, size_t n) : at_(bytes), left_(n) {}

  void walk() {
    if (left_ < 2 || at_[0] != 'X' || at_[1] != '\n') bad("it is not in R's binary format");
    skip(2);
    const int version = integer();
    if (version != 2 && version != 3) bad("it has a version that R does not know");
    integer();
    integer();
    if (version == 3) skip(length_of(integer(), 1));
    item();
    if (left_ != 0) bad("it does not end where it should");
  }
  bool has_code() const { return has_code_; }

 private:
  [[noreturn]] void bad(const char* why) { fail("value_error", "The R object in the file can't be read: %s.", why); }

  void skip(size_t n) {
    if (n > left_) bad("it ends too early");
    at_ += n;
    left_ -= n;
  }
  int integer() {
    const unsigned char* b = at_;
    skip(4);
    return integer_of(b);
  }
  // The number of bytes of n elements, which must be there.
  size_t length_of(int n, size_t size) {
    if (n < 0) bad("it has a length below 0");
    if (static_cast<size_t>(n) > left_ / size) bad("it ends too early");
    return static_cast<size_t>(n) * size;
  }
  // Reads the length of a vector. That of a long one takes two more integers.
  size_t elements(size_t size) {
    const int n = integer();
    uint64_t all = static_cast<uint64_t>(n);
    if (n == -1) {
      const auto high = static_cast<unsigned>(integer());
      all = static_cast<uint64_t>(high) << 32 | static_cast<unsigned>(integer());
    } else if (n < 0) {
      bad("it has a length below 0");
    }
    if (all > left_ / size) bad("it ends too early");
    return static_cast<size_t>(all);
  }

  int peek() {
    const unsigned char* before = at_;
    const size_t left = left_;
    const int flags = integer();
    at_ = before;
    left_ = left;
    return flags;
  }
  static bool has_attributes(int flags) { return flags & 1 << 9; }
  static bool has_tag(int flags) { return flags & 1 << 10; }
  static double number(const unsigned char* b) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | b[i];
    double value;
    std::memcpy(&value, &bits, 8);
    return value;
  }
  static int integer_of(const unsigned char* b) {
    return static_cast<int>(static_cast<unsigned>(b[0]) << 24 | static_cast<unsigned>(b[1]) << 16 | static_cast<unsigned>(b[2]) << 8 | b[3]);
  }

  // Reads one string; gives where its text lies.
  void text(const unsigned char** bytes = nullptr, int* n = nullptr) {
    const int flags = integer();
    if ((flags & 0xFF) != 9 || has_attributes(flags)) bad("it has something else where a text should be");
    const int length = integer();
    if (bytes) *bytes = at_;
    if (n) *n = length;
    if (length != -1) skip(length_of(length, 1));
  }
  // Reads the strings that stand for a handle or an environment, or name a package. Marks of environments are known by
  // their beginning (`environment_marks` in save.R).
  int strings(bool marks) {
    if (integer() != 0) bad("it holds names of strings");
    const int n = integer();
    if (n < 0) bad("it has a length below 0");
    int type = marks ? kPointer : kEnvironment;
    for (int i = 0; i < n; ++i) {
      const unsigned char* bytes;
      int length;
      text(&bytes, &length);
      for (const char* start : {"instance", "class/", "scope/", "environment"})
        if (i == 0 && length >= static_cast<int>(std::strlen(start)) && std::memcmp(bytes, start, std::strlen(start)) == 0) type = kEnvironment;
    }
    return type;
  }

  Item item() {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    const int flags = integer();
    Item out = {flags & 0xFF};
    switch (out.type) {
      case kNil:
        out.type = kNull;
        break;
      case kGlobalEnv: case kBaseNamespace: case kEmptyEnv: case kBaseEnv:
        out.type = kEnvironment;
        break;
      case kMissing:
        out.type = kSymbolType;
        break;
      case kRef:
        out.type = type_of(known(flags));
        break;
      case kPersist: case kPackage: case kNamespace:
        out.type = strings(out.type == kPersist);
        remember(out.type == kEnvironment ? kEnclosure : kOther);
        break;
      case kSymbolType:
        symbol();
        break;
      case kEnvironment:
        has_code_ = true;
        remember(kEnclosure);
        integer();
        enclosure();
        pairs(kVariables);
        table();
        attributes(out);
        break;
      case kPromise:
        bad("it holds a promise, which would be run");
      case kClosure:
        has_code_ = true;
        if (has_attributes(flags)) attributes(out);
        if (has_tag(flags)) enclosure();
        pairs(kNamed);
        item();
        break;
      case kCall:
        has_code_ = true;
        pair(flags, kAny);
        break;
      case kList:
        pair(flags, kAny);
        break;
      case 7: case 8:  // a builtin function of R's, by its name
        skip(length_of(integer(), 1));
        break;
      case kLogical: case kInteger:
        vector(out, 4, flags);
        break;
      case kDouble:
        vector(out, 8, flags);
        break;
      case kComplex:
        vector(out, 16, flags);
        break;
      case kRaw:
        vector(out, 1, flags);
        break;
      case kString: case kVector: case kExpression: {
        if (out.type == kExpression) has_code_ = true;
        // Each element takes 4 bytes at least, its flags.
        const size_t n = elements(4);
        for (size_t i = 0; i < n; ++i) out.type == kString ? text() : static_cast<void>(item());
        out.length = static_cast<double>(n);
        if (has_attributes(flags)) attributes(out);
        break;
      }
      case kCode: {
        has_code_ = true;
        const int outer = shared_;
        char* outer_types = shared_types_;
        shared_ = integer();
        // Each shared expression takes more than a byte.
        shared_types_ = R_alloc(length_of(shared_, 1) + 1, 1);
        std::memset(shared_types_, kNotYet, static_cast<size_t>(shared_) + 1);
        code();
        shared_ = outer;
        shared_types_ = outer_types;
        if (has_attributes(flags)) attributes(out);
        break;
      }
      case kPointer:
        remember(kOther);
        item();
        item();
        if (has_attributes(flags)) attributes(out);
        break;
      case 23:
        remember(kOther);
        if (has_attributes(flags)) attributes(out);
        break;
      case 25:
        if (has_attributes(flags)) attributes(out);
        break;
      case kAltrep:
        out = altrep();
        break;
      default:
        bad("it holds something that R has no name for");
    }
    --depth_;
    return out;
  }

  void vector(Item& out, size_t size, int flags) {
    const size_t n = elements(size);
    out.length = static_cast<double>(n);
    out.data = at_;
    skip(n * size);
    if (has_attributes(flags)) attributes(out);
  }

  void enclosure() {
    const int type = item().type;
    if (type != kEnvironment && type != kNull) bad("it has something else where an environment should be");
  }

  // Reads a pair, whose flags have been read, and those that follow it. R goes from one to the next without checking
  // their types.
  enum Pairs { kAny, kNamed, kVariables, kDots };
  void pair(int flags, Pairs kind) {
    for (;;) {
      if (has_attributes(flags)) attributes({kList});
      if (has_tag(flags))
        name();
      else if (kind == kNamed || kind == kVariables)
        bad("it has a variable without a name");
      if (kind == kVariables || kind == kDots)
        value();
      else
        item();
      flags = integer();
      const int type = flags & 0xFF;
      if (type == kNil) return;
      if (type != kList && type != kCall && type != kDotsType) bad("it has a list that does not end as lists do");
    }
  }
  void pairs(Pairs kind) {
    const int flags = integer();
    if ((flags & 0xFF) == kNil) return;
    if ((flags & 0xFF) != kList) bad("it has something else where a list should be");
    pair(flags, kind);
  }
  // Reads the value of a variable. It may be a promise, or `...` with more promises.
  void value() {
    const int type = peek() & 0xFF;
    if (type != kPromise && type != kDotsType) {
      item();
      return;
    }
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    has_code_ = true;
    const int flags = integer();
    if (type == kDotsType) {
      pair(flags, kDots);
    } else {
      if (has_attributes(flags)) attributes({kList});
      if (has_tag(flags)) enclosure();
      if ((peek() & 0xFF) == kUnbound)
        integer();
      else
        item();
      value();
    }
    --depth_;
  }
  void table() {
    const int flags = integer();
    if ((flags & 0xFF) == kNil) return;
    const size_t n = (flags & 0xFF) == kVector ? elements(4) : 0;
    if (n == 0) bad("it has an environment that is none");
    for (size_t i = 0; i < n; ++i) pairs(kVariables);
    if (has_attributes(flags)) attributes({kVector, static_cast<double>(n)});
  }

  // Reads the attributes of an object. Where R trusts them they are checked: a matrix has as many elements as its sizes
  // say.
  void attributes(const Item& of) {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    const bool is_vector = of.type == kLogical || (of.type >= kInteger && of.type <= kString) || of.type == kVector || of.type == kExpression ||
                           of.type == kRaw;
    Item sizes = {kNull};
    double* lengths = nullptr;
    size_t n_lengths = 0;
    int flags = integer();
    while ((flags & 0xFF) == kList) {
      if (has_attributes(flags) || !has_tag(flags)) bad("it has an attribute without a name");
      const Known which = name();
      if (which == kDimnames && is_vector) {
        lengths = lengths_here(&n_lengths);
      } else {
        const Item value = item();
        const bool whole = value.type == kInteger || value.type == kDouble;
        if (which == kClass && value.type != kString) bad("it has a class that is none");
        if (which == kTsp && is_vector && (!whole || value.length != 3)) bad("it has a series without its times");
        if (which == kNames && is_vector && (value.type != kString || value.length != of.length)) bad("it has more or fewer names than elements");
        if (which == kDim && is_vector) {
          if (value.type != kInteger || value.length < 1) bad("it has an array without its sizes");
          sizes = value;
        }
      }
      flags = integer();
    }
    if ((flags & 0xFF) != kNil) bad("it has something else where a list should be");
    const auto size = [&](double i) { return sizes.data ? integer_of(sizes.data + 4 * static_cast<size_t>(i)) : sizes.first + i * sizes.step; };
    if (sizes.type == kInteger) {
      double n = 1;
      for (double i = 0; i < sizes.length; ++i) {
        if (size(i) < 0 || (n *= size(i)) > of.length) n = NAN;
        if (n == 0 || std::isnan(n)) break;
      }
      if (n != of.length) bad("it has an array of other sizes than it says");
    }
    if (lengths) {
      bool ok = sizes.type == kInteger && static_cast<double>(n_lengths) == sizes.length;
      for (size_t i = 0; ok && i < n_lengths; ++i) ok = lengths[i] < 0 || lengths[i] == size(static_cast<double>(i));
      if (!ok) bad("it has names for other sizes than it says");
    }
    --depth_;
  }
  // Reads a list of vectors of names and gives the length of each, -1 for NULL.
  double* lengths_here(size_t* count) {
    const int flags = integer();
    if ((flags & 0xFF) != kVector) bad("it has names for other sizes than it says");
    const size_t n = elements(4);
    auto* lengths = reinterpret_cast<double*>(R_alloc(n + 1, sizeof(double)));
    for (size_t i = 0; i < n; ++i) {
      const Item names = item();
      if (names.type != kString && names.type != kNull) bad("it has names that are none");
      lengths[i] = names.type == kNull ? -1 : names.length;
    }
    if (has_attributes(flags)) attributes({kVector, static_cast<double>(n)});
    *count = n;
    return lengths;
  }

  // What is remembered of an item to which later ones may refer by its number.
  enum Known : char { kOther, kEnclosure, kSymbol, kNames, kDim, kDimnames, kClass, kTsp, kBase, kDeferred, kSequence = 32, kWrapped = 64 };
  static int type_of(Known what) { return what == kOther ? kPointer : what == kEnclosure ? kEnvironment : kSymbolType; }
  void remember(Known what) {
    if (n_known_ == room_) {
      const size_t more = room_ == 0 ? 256 : 2 * room_;
      char* known = R_alloc(more, 1);
      if (room_ > 0) std::memcpy(known, known_, room_);
      known_ = known;
      room_ = more;
    }
    known_[n_known_++] = what;
  }
  Known known(int flags) {
    const int which = flags >> 8 == 0 ? integer() : flags >> 8;
    if (which < 1 || static_cast<size_t>(which) > n_known_) bad("it refers to something that it has not");
    return static_cast<Known>(known_[which - 1]);
  }
  // Reads a symbol whose flags have been read.
  Known symbol() {
    const unsigned char* bytes;
    int n;
    text(&bytes, &n);
    const auto is = [&](const char* text) { return n == static_cast<int>(std::strlen(text)) && std::memcmp(bytes, text, std::strlen(text)) == 0; };
    static const struct {
      const char* text;
      int what;
    } symbols[] = {
      {"names", kNames}, {"dim", kDim}, {"dimnames", kDimnames}, {"class", kClass}, {"tsp", kTsp}, {"base", kBase},
      // Together with the type of the vector.
      {"deferred_string", kDeferred}, {"compact_intseq", kSequence + kInteger}, {"compact_realseq", kSequence + kDouble},
      {"wrap_integer", kWrapped + kInteger}, {"wrap_logical", kWrapped + kLogical}, {"wrap_real", kWrapped + kDouble},
      {"wrap_complex", kWrapped + kComplex}, {"wrap_raw", kWrapped + kRaw}, {"wrap_string", kWrapped + kString}, {"wrap_list", kWrapped + kVector}
    };
    Known what = kSymbol;
    for (const auto& one : symbols)
      if (is(one.text)) what = static_cast<Known>(one.what);
    remember(what);
    return what;
  }
  Known name() {
    const int flags = integer(), type = flags & 0xFF;
    const Known what = type == kSymbolType ? symbol() : type == kRef ? known(flags) : kOther;
    if (what < kSymbol) bad("it has something else where a name should be");
    return what;
  }

  // Reads a vector in another representation (ALTREP). Allowed are those of base R's own that R writes, each with a
  // state as R writes it, since R trusts the state. First come a list of the names of the class and of its package, and
  // the type of the vector; then its state and its attributes.
  Item altrep() {
    const auto pair_here = [&] {
      if ((integer() & 0x7FF) != kList) bad("it holds a vector that is described wrongly");
    };
    const auto plain = [&](int type, int n) {
      if ((integer() & 0xFFF) != type || integer() != n) bad("it holds a vector that is described wrongly");
      const unsigned char* data = at_;
      skip(length_of(n, type == kDouble ? 8 : 4));
      return data;
    };
    pair_here();
    const Known class_ = name();
    pair_here();
    if (name() != kBase || class_ < kDeferred) bad("it holds a vector whose class is a package's");
    pair_here();
    const bool is_deferred = class_ == kDeferred, is_sequence = class_ > kSequence && class_ < kWrapped;
    // With a wrong type R would make a vector without elements.
    const int type = is_deferred ? kString : is_sequence ? class_ - kSequence : class_ - kWrapped;
    if (integer_of(plain(kInteger, 1)) != type) bad("it holds a vector that is described wrongly");
    if ((integer() & 0xFF) != kNil) bad("it holds a vector that is described wrongly");
    Item out = {type};
    if (is_sequence) {
      const unsigned char* state = plain(kDouble, 3);
      const double n = number(state), first = number(state + 8), step = number(state + 16), last = first + (n - 1) * step;
      const bool fits = type != kInteger || (first > INT_MIN && first <= INT_MAX && last > INT_MIN && last <= INT_MAX);
      if (!(n >= 0 && n <= 0x1p52 && std::floor(n) == n) || !(step == 1 || step == -1) || !fits) bad("it holds a vector that is described wrongly");
      out.length = n;
      out.first = first;
      out.step = step;
    } else {
      pair_here();
      const Item base = item();
      const bool numbers = base.type == kInteger || base.type == kDouble;
      if (is_deferred ? !numbers : type != base.type) bad("it holds a vector that is described wrongly");
      out = base;
      out.type = type;
      plain(kInteger, is_deferred ? 1 : 2);
    }
    attributes(out);
    return out;
  }

  // Reads the number of an expression that stands in several places of compiled code.
  int shared() {
    const int which = integer();
    if (which < 0 || which >= shared_) bad("it refers to something that it has not");
    return which;
  }
  void code() {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    const Item instructions = item();
    if (instructions.type != kInteger || instructions.length < 1) bad("it has compiled code without instructions");
    const int n = integer();
    if (n < 0) bad("it has a length below 0");
    for (int i = 0; i < n; ++i) {
      const int type = integer();
      if (type == kCode)
        code();
      else if (is_expression(type))
        expression(type);
      else
        item();
    }
    --depth_;
  }
  static bool is_pair(int type) { return type == kCall || type == kList || type == kAttributedLang || type == kAttributedList; }
  static bool is_expression(int type) { return is_pair(type) || type == kCodeDefinition || type == kCodeReference; }
  // Reads an expression and gives its type. One that refers to itself would be a list without end.
  int expression(int type) {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    if (type == kCodeReference) {
      type = shared_types_[shared()];
      if (type == kNotYet) bad("it refers to something that it has not");
    } else if (is_expression(type)) {
      const int which = type == kCodeDefinition ? shared() : -1;
      if (which >= 0) type = integer();
      if (!is_pair(type)) bad("it has something else where an expression should be");
      if (type == kAttributedLang || type == kAttributedList) attributes({kList});
      type = type == kCall || type == kAttributedLang ? kCall : kList;
      if ((peek() & 0xFF) == kNil)
        integer();
      else
        name();
      expression(integer());
      const int rest = expression(integer());
      if (rest != kList && rest != kCall && rest != kNull) bad("it has a list that does not end as lists do");
      if (which >= 0) shared_types_[which] = static_cast<char>(type);
    } else {
      type = item().type;
    }
    --depth_;
    return type;
  }

  const unsigned char* at_;
  size_t left_;
  int depth_ = 0, shared_ = 0;
  static constexpr char kNotYet = -1;
  char* shared_types_ = nullptr;
  bool has_code_ = false;
  char* known_ = nullptr;
  size_t n_known_ = 0, room_ = 0;
};

}  // namespace

// Whether the data holds functions or environments. An error if R must not read it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_stream_check(SEXP bytes) {
  const void* memory = vmaxget();
  Walker walker(RAW(bytes), static_cast<size_t>(XLENGTH(bytes)));
  walker.walk();
  vmaxset(memory);
  return Rf_ScalarLogical(walker.has_code());
}
