// What R's serialization holds, looked at before R reads it. R allocates what a stream says, takes code for data, and runs
// what packages have for classes of their own; so lengths must fit the stream, and only what is listed here may be in it.
#include <climits>
#include <cstring>
#include <initializer_list>

#include "r.h"
#include "status.h"

namespace {

// Types that exist in streams only; see R's serialize.c.
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

constexpr int kDeepest = 5000;

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
    item(false);
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
    return static_cast<int>(static_cast<unsigned>(b[0]) << 24 | static_cast<unsigned>(b[1]) << 16 | static_cast<unsigned>(b[2]) << 8 | b[3]);
  }
  // Bytes of n elements.
  size_t length_of(int n, size_t size) {
    if (n < 0) bad("it has a length below 0");
    if (static_cast<size_t>(n) > left_ / size) bad("it ends too early");
    return static_cast<size_t>(n) * size;
  }
  // Of a vector; long ones have two more integers.
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

  void strings() {
    if (integer() != 0) bad("it holds names of strings");
    const int n = integer();
    if (n < 0) bad("it has a length below 0");
    for (int i = 0; i < n; ++i) item(false);
  }

  // `in_frame`: the value of a variable, where R itself has promises.
  void item(bool in_frame) {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    const int flags = integer();
    const int type = flags & 0xFF;
    const bool attributes = flags & 1 << 9, tag = flags & 1 << 10;
    switch (type) {
      case kNil: case kGlobalEnv: case kUnbound: case kMissing: case kBaseNamespace: case kEmptyEnv: case kBaseEnv:
        break;
      case kRef:
        known(flags);
        break;
      case kPersist: case kPackage: case kNamespace:
        strings();
        remember(kOther);
        break;
      case 1:
        symbol();
        break;
      case 4:  // an environment: its parent, its variables as a list or a table of lists, attributes
        has_code_ = true;
        remember(kOther);
        integer();
        item(false);
        variables();
        table();
        item(false);
        break;
      case 5:
        if (!in_frame) bad("it holds a promise, which would be run");
        has_code_ = true;
        if (attributes) item(false);
        if (tag) item(false);
        item(false);
        item(true);
        break;
      case 3: case 6:
        has_code_ = true;
        pair(attributes, tag, false);
        break;
      case 17:  // `...`, a variable that holds promises
        has_code_ = true;
        pair(attributes, tag, in_frame);
        break;
      case 2:
        pair(attributes, tag, false);
        break;
      case 7: case 8:  // R's own functions, by name
        skip(length_of(integer(), 1));
        break;
      case 9: {
        const int n = integer();
        if (n != -1) skip(length_of(n, 1));
        break;
      }
      case 10: case 13:
        skip(elements(4) * 4);
        if (attributes) item(false);
        break;
      case 14:
        skip(elements(8) * 8);
        if (attributes) item(false);
        break;
      case 15:
        skip(elements(16) * 16);
        if (attributes) item(false);
        break;
      case 24:
        skip(elements(1));
        if (attributes) item(false);
        break;
      case 16: case 19: case 20: {
        if (type == 20) has_code_ = true;
        // Each element has at least its flags.
        for (size_t n = elements(4); n > 0; --n) item(false);
        if (attributes) item(false);
        break;
      }
      case 21: {
        has_code_ = true;
        const int outer = shared_;
        shared_ = integer();
        code();
        shared_ = outer;
        if (attributes) item(false);
        break;
      }
      case 22:
        remember(kOther);
        item(false);
        item(false);
        if (attributes) item(false);
        break;
      case 23:
        remember(kOther);
        if (attributes) item(false);
        break;
      case 25:
        if (attributes) item(false);
        break;
      case kAltrep:
        altrep();
        break;
      default:
        bad("it holds something that R has no name for");
    }
    --depth_;
  }

  // A pair and those behind it; `frame`: the values are variables.
  void pair(bool attributes, bool tag, bool frame) {
    for (;;) {
      if (attributes) item(false);
      if (tag) item(false);
      item(frame);
      const unsigned char* before = at_;
      const size_t left = left_;
      const int flags = integer();
      const bool more = (flags & 0xFF) == 2 || (flags & 0xFF) == 17;
      if (!more) {
        at_ = before;
        left_ = left;
        item(false);
        return;
      }
      attributes = flags & 1 << 9;
      tag = flags & 1 << 10;
    }
  }
  void variables() {
    const unsigned char* before = at_;
    const size_t left = left_;
    const int flags = integer();
    if ((flags & 0xFF) == 2) {
      pair(flags & 1 << 9, flags & 1 << 10, true);
      return;
    }
    at_ = before;
    left_ = left;
    item(false);
  }
  void table() {
    const unsigned char* before = at_;
    const size_t left = left_;
    const int flags = integer();
    if ((flags & 0xFF) == 19) {
      for (size_t n = elements(4); n > 0; --n) variables();
      if (flags & 1 << 9) item(false);
      return;
    }
    at_ = before;
    left_ = left;
    item(false);
  }

  // What later items refer to by number.
  enum Known : char { kOther, kSymbol, kBase, kSequence, kDeferred, kWrapped };
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
  // After its flags.
  Known symbol() {
    const unsigned char* name = at_;
    item(false);
    const auto is = [&](const char* text) {
      const size_t n = std::strlen(text);
      return static_cast<size_t>(at_ - name) == 8 + n && std::memcmp(name + 8, text, n) == 0;
    };
    Known what = is("base") ? kBase : is("compact_intseq") || is("compact_realseq") ? kSequence : is("deferred_string") ? kDeferred : kSymbol;
    for (const char* type : {"wrap_integer", "wrap_logical", "wrap_real", "wrap_complex", "wrap_raw", "wrap_string", "wrap_list"})
      if (is(type)) what = kWrapped;
    remember(what);
    return what;
  }

  // Vectors in another representation: those of base R's own ones that R writes, each with the state that R gives it, as R
  // believes what is here. Before the vector stands a list of the names of its class and of that class's package, and its
  // type; then come its state and its attributes.
  void altrep() {
    const auto pair_here = [&] {
      if ((integer() & 0x7FF) != 2) bad("it holds a vector that is described wrongly");
    };
    const auto known_symbol = [&] {
      const int flags = integer();
      return (flags & 0xFF) == 1 ? symbol() : (flags & 0xFF) == kRef ? known(flags) : kOther;
    };
    const auto plain = [&](int type, int n) {
      if ((integer() & 0xFFF) != type || integer() != n) bad("it holds a vector that is described wrongly");
      skip(length_of(n, type == 14 ? 8 : 4));
    };
    pair_here();
    const Known class_ = known_symbol();
    pair_here();
    if (known_symbol() != kBase || class_ < kSequence) bad("it holds a vector whose class is a package's");
    pair_here();
    plain(13, 1);
    // R looks up the name of a type that is not that of the class.
    if (at_[-4] != 0 || at_[-3] != 0 || at_[-2] != 0 || at_[-1] > 25) bad("it holds a vector that is described wrongly");
    if ((integer() & 0xFF) != kNil) bad("it holds a vector that is described wrongly");
    if (class_ == kSequence) {
      plain(14, 3);
    } else {
      pair_here();
      item(false);
      plain(13, class_ == kDeferred ? 1 : 2);
    }
    item(false);
  }

  // The number of an expression that stands in several places of compiled code.
  void shared() {
    const int which = integer();
    if (which < 0 || which >= shared_) bad("it refers to something that it has not");
  }
  void code() {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    item(false);
    const int n = integer();
    if (n < 0) bad("it has a length below 0");
    for (int i = 0; i < n; ++i) {
      const int type = integer();
      if (type == 21)
        code();
      else if (type == 6 || type == 2 || type == kCodeDefinition || type == kCodeReference || type == kAttributedLang || type == kAttributedList)
        expression(type);
      else
        item(false);
    }
    --depth_;
  }
  void expression(int type) {
    if (++depth_ > kDeepest) bad("it is nested too deeply");
    if (type == kCodeReference) {
      shared();
    } else if (type == 6 || type == 2 || type == kCodeDefinition || type == kAttributedLang || type == kAttributedList) {
      if (type == kCodeDefinition) {
        shared();
        type = integer();
      }
      if (type == kAttributedLang || type == kAttributedList) item(false);
      item(false);
      expression(integer());
      expression(integer());
    } else {
      item(false);
    }
    --depth_;
  }

  const unsigned char* at_;
  size_t left_;
  int depth_ = 0, shared_ = 0;
  bool has_code_ = false;
  char* known_ = nullptr;
  size_t n_known_ = 0, room_ = 0;
};

}  // namespace

// Whether the stream holds functions or environments; an error if R must not read it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_stream_check(SEXP bytes) {
  const void* memory = vmaxget();
  Walker walker(RAW(bytes), static_cast<size_t>(XLENGTH(bytes)));
  walker.walk();
  vmaxset(memory);
  return Rf_ScalarLogical(walker.has_code());
}
