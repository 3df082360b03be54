// `sprintf()`: the format is read when the program is compiled. Each part of it becomes a piece of text, and these are
// pasted.
#include <algorithm>
#include <optional>

#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

namespace {

// A conversion such as `%2$-5.2f`: argument, flags, width, digits, kind.
struct Piece {
  size_t argument = 0;  // its number from 1, or 0 for the next one
  std::string flags;
  std::optional<int64_t> width, digits;
  bool asks_width = false;  // `*`: the width is an argument
  char kind = 0;
  std::string text;  // the conversion as it is written
};

class Format {
 public:
  Format(Call& call, const std::string& format) : call_(call), format_(format) {}

  // The pieces of text, in their order.
  std::vector<Value*> pieces() {
    std::vector<Value*> all;
    std::string plain;
    const auto close = [&] {
      if (!plain.empty()) all.push_back(call_.constant(plain));
      plain.clear();
    };
    while (at_ < format_.size()) {
      if (format_[at_] != '%') {
        plain += format_[at_++];
      } else if (format_.compare(at_, 2, "%%") == 0) {
        plain += '%';
        at_ += 2;
      } else {
        close();
        all.push_back(written(read()));
      }
    }
    close();
    if (used_ < call_.inputs.size()) call_.fail("`sprintf()` has more values than its format asks for");
    return all;
  }

 private:
  std::optional<int64_t> number() {
    const size_t from = at_;
    while (at_ < format_.size() && format_[at_] >= '0' && format_[at_] <= '9') ++at_;
    // No width has more digits.
    constexpr size_t kDigits = 4;
    if (at_ - from > kDigits) refuse();
    if (at_ == from) return std::nullopt;
    return std::stoi(format_.substr(from, at_ - from));
  }

  bool take(char c) {
    if (at_ >= format_.size() || format_[at_] != c) return false;
    ++at_;
    return true;
  }

  [[noreturn]] void refuse() {
    call_.fail(
        "`sprintf()` knows `%d`, `%i`, `%x`, `%X`, `%o`, `%f`, `%e`, `%E`, `%g`, `%G`, `%s` and `%%` in a program, "
        "with "
        "widths, flags and up to 15 digits; not \"" +
        format_.substr(start_) + "\"");
  }

  Piece read() {
    Piece piece;
    start_ = at_++;
    const size_t before = at_;
    if (const auto place = number(); place && *place > 0 && take('$')) {
      piece.argument = static_cast<size_t>(*place);
    } else {
      at_ = before;
    }
    while (at_ < format_.size() && std::string("-+ 0#").find(format_[at_]) != std::string::npos)
      piece.flags += format_[at_++];
    piece.asks_width = take('*');
    if (!piece.asks_width) piece.width = number();
    if (take('.')) piece.digits = number().value_or(0);
    static const std::string kinds = "dixXofeEgGs";
    if (at_ >= format_.size() || kinds.find(format_[at_]) == std::string::npos) refuse();
    piece.kind = format_[at_++] == 'i' ? 'd' : format_[at_ - 1];
    constexpr int64_t kMost = 15;
    if (piece.kind != 's' && piece.kind != 'd' && piece.digits.value_or(0) > kMost) refuse();
    piece.text = format_.substr(start_, at_ - start_);
    return piece;
  }

  Value* argument(size_t number) {
    if (number > call_.inputs.size())
      call_.fail("`sprintf()` has too few values: \"" + format_.substr(start_, at_ - start_) + "\" asks for one more");
    used_ = std::max(used_, number);
    return call_.inputs[number - 1];
  }

  Value* written(const Piece& piece) {
    auto* width =
        piece.asks_width ? call_.whole(argument(++next_), "a width") : call_.constant(piece.width.value_or(0));
    auto* value = argument(piece.argument ? piece.argument : ++next_);
    const auto flags = call_.constant(piece.flags);
    const bool whole = std::string("dxXo").find(piece.kind) != std::string::npos;
    const int64_t usual = piece.kind == 's' || whole ? -1 : 6;
    auto* digits = call_.constant(piece.digits.value_or(usual));
    const auto kind = call_.constant(std::string(1, piece.kind));
    if (piece.kind == 's')
      return call_.builtin("inner:format_string", {call_.builtin("as.character", {value}), flags, width, digits});
    const std::string name = whole ? "inner:format_whole" : "inner:format_number";
    Call inner = call_.with(name, {value, kind, flags, width, digits});
    if (auto* made = call_builtin(inner)) return made;
    call_.fail("`" + piece.text + "` writes " + (whole ? "whole numbers" : "numbers") + ", not " +
               call_.words_of(value));
  }

  Call& call_;
  const std::string format_;
  size_t at_ = 0, start_ = 0, next_ = 0, used_ = 0;
};

}  // namespace

SugaredValuePtr format_text(Call& call) {
  for (auto it = call.named.begin(); it != call.named.end(); ++it) {
    if (it->first != "fmt") continue;
    call.inputs.insert(call.inputs.begin(), it->second);
    call.named.erase(it);
    break;
  }
  if (call.inputs.empty() || !call.named.empty())
    call.fail("`sprintf()` takes a format and values without names in a program");
  const std::string format = word(call, call.inputs.front(), "fmt");
  call.inputs.erase(call.inputs.begin());
  Call all = call.with("paste0", Format(call, format).pieces());
  return paste(all);
}

}  // namespace shim::script
